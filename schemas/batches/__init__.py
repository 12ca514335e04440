"""Predictions and ground truth as columns, a batch at a time: what the observer's hot path reads."""
