"""Small real tables that ship with the library, for its demo, its examples and its tests."""

from llmsynth.demo_tables.catalogue import DemoTable, describe, load, names, path

__all__ = ["DemoTable", "describe", "load", "names", "path"]
