"""What runs a model under a grammar."""
