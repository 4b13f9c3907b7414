"""Tables in and out: CSV, Parquet, Arrow, pandas and datasets, read strictly, written exactly."""

from importlib import import_module
from typing import TYPE_CHECKING

from llmsynth.tables.conforming import conform
from llmsynth.tables.hub_datasets import to_dataset
from llmsynth.tables.reading import read_table
from llmsynth.tables.writing import TableWriter, write_table

if TYPE_CHECKING:
    from llmsynth.tables.pandas_frames import to_pandas

__all__ = ["TableWriter", "conform", "read_table", "to_dataset", "to_pandas", "write_table"]


def __getattr__(name: str) -> object:
    """Load pandas only when `to_pandas` is asked for (PEP 562)."""
    if name == "to_pandas":
        return import_module("llmsynth.tables.pandas_frames").to_pandas
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
