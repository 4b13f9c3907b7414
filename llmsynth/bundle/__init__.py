"""A fitted model on disk."""
