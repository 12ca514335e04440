"""What a window says of a model: its metrics, each with an interval. Sums in, numbers out."""
