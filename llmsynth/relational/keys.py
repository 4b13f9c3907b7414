"""Keys of groups and of related tables: the pattern of the old ones, and new ones in it."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from llmsynth.generation.identifiers import IdentifierMaker
from llmsynth.schema.columns import IdentifierColumn
from llmsynth.schema.identifier_patterns import text_pattern
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.storage import arrow_type, plain

_LETTERS = 12
"""Length of a key where the old ones show no pattern; 36**12 of them."""


def key_column(name: str, keys: pa.Array) -> IdentifierColumn:
    """The pattern of some keys, each given once.

    Whole numbers stay whole numbers of as many digits; other keys come out as texts.
    """
    cells = plain(pa.chunked_array([keys]))
    found = infer_schema(pa.table({name: cells})).columns[0]
    if isinstance(found, IdentifierColumn):
        return replace(found, nullable=False, unique=True)
    if pa.types.is_integer(arrow_type(found.storage)):
        digits = len(str(10 * len(keys)))
        longest = max(digits, max(len(text) for text in cells.cast(pa.string()).to_pylist()))
        return IdentifierColumn(
            name=name, storage=found.storage, pattern=rf"[1-9]\d{{0,{longest - 1}}}"
        )
    texts = [str(key) for key in cells.to_pylist()]
    pattern = text_pattern(f"{name}_id", texts) or rf"[0-9A-Z]{{{_LETTERS}}}"
    return IdentifierColumn(name=name, pattern=pattern)


def new_keys(column: IdentifierColumn, count: int, seed: int) -> pa.Array:
    """`count` keys, none twice.

    Raises:
        SamplingError: the pattern has fewer texts.
    """
    return IdentifierMaker(column, seed).make(0, count)
