"""Does a synthetic table look like the original."""
