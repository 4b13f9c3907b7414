"""Categories that a table's own types declare, in their order, as they travel with the table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

_KEY = b"llmsynth.declared_categories"


def with_declared_categories(table: pa.Table, declared: Mapping[str, Sequence[str]]) -> pa.Table:
    """The table, which says of some text columns that they are categories in this order."""
    if not declared:
        return table
    metadata = dict(table.schema.metadata or {})
    metadata[_KEY] = json.dumps({name: list(held) for name, held in declared.items()}).encode()
    return table.replace_schema_metadata(metadata)


def declared_categories(table: pa.Table) -> dict[str, tuple[str, ...]]:
    """The declared categories by column; of columns that the table still has."""
    held = (table.schema.metadata or {}).get(_KEY)
    found = json.loads(held) if held else {}
    return {name: tuple(found[name]) for name in found if name in table.column_names}
