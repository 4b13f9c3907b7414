"""Does a synthetic table serve the same purpose as the original."""
