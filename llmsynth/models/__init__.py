"""Transformers, compact and pretrained."""
