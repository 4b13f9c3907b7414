"""Processes that start in a moment, because they are forked from one that has done its imports."""
