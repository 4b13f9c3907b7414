"""Tables as Hugging Face datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from llmsynth.errors import MissingExtraError

if TYPE_CHECKING:
    import datasets


def to_dataset(table: pa.Table) -> datasets.Dataset:
    """The table as a `datasets.Dataset` over the same Arrow memory.

    Raises:
        MissingExtraError: the package `datasets` is not installed.
    """
    try:
        # Imported here so that reading and writing files needs neither the package nor its time.
        import datasets
    except ImportError as error:
        raise MissingExtraError(
            "Turning a table into a Dataset needs the package `datasets`.",
            hint="Install it with: pip install datasets",
        ) from error
    return datasets.Dataset(table.replace_schema_metadata(None))
