"""The HTTP service is built later; this package only keeps its place and its layer."""
