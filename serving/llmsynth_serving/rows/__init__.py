"""A few rows while the caller waits, from synthesizers that are kept warm."""
