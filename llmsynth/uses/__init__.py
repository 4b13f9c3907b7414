"""Whole ways from data to an answer: rebalancing, filling in, replacing, adding."""
