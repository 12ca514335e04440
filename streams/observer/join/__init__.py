"""Predictions wait for their ground truth: the store of rows, and the models joined together."""
