"""Teaches a model a table."""
