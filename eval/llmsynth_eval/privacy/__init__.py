"""Does a synthetic table give anyone away."""
