"""What comes into a model: features and embeddings against their reference, and the tests that watch them."""
