"""Joined rows become partial sums: by specification, pane of event time, and bin."""
