"""The row language: training text, grammar and parser of one schema."""
