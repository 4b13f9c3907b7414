"""Draws rows from a model."""
