"""From a table as it came to what the model learns: schema, protection, codes."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.column_code import SKIPPED, Tokens
from llmsynth.codec.flat_places import flat_places
from llmsynth.codec.frequent_values import with_frequent_values
from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.sentinels import with_sentinels
from llmsynth.errors import SchemaError, SettingsError, TableError
from llmsynth.generation.computed_columns import follows
from llmsynth.generation.constraints import common_rows, with_combinations
from llmsynth.privacy.rare_values import DEFAULT_FLOOR, Protected, protect_rare_values
from llmsynth.rules import Discovery, discover_rules
from llmsynth.schema.columns import Column, TextColumn
from llmsynth.schema.constraints import (
    ConstantWhen,
    Constraint,
    FixedCombinations,
    Lookup,
    MissingExactlyWhen,
)
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.open_texts import OpenTexts, with_open_texts
from llmsynth.synthesizers.text_bounds import with_text_bounds
from llmsynth.tables.broken_rows import holds
from llmsynth.tables.conforming import conform
from llmsynth.tables.respelling import RespellingWarning, respelled_lines

Mask = npt.NDArray[np.bool_]
_FEWEST_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A table ready to be learned.

    codes: int32 (rows, places); SKIPPED where nothing is to be learned.
    """

    language: RowLanguage
    codes: Tokens
    flat: frozenset[int]
    protected: Protected
    dropped_text: tuple[str, ...]
    data_hash: str
    context: tuple[str, ...] = ()
    """Columns that are only ever given."""
    is_to_fill: bool = False
    """Whether cells are left out because they are to be filled in later."""
    texts: OpenTexts | None = None
    """What became of texts that the model spells."""
    rules: Discovery | None = None
    """Rules that were looked for; None where only declared ones count."""

    @property
    def context_places(self) -> frozenset[int]:
        """Places of the columns that are only ever given."""
        names = self.language.schema.names
        return frozenset(
            place for name in self.context for place in self.language.places(names.index(name))
        )

    @property
    def learned(self) -> Tokens:
        """The codes without noise digits; what training sees."""
        codes = self.codes.copy()
        codes[:, sorted(self.flat)] = SKIPPED
        return codes


def prepare(
    table: pa.Table,
    schema: TableSchema | None,
    *,
    target: str | None,
    keep_rare: bool,
    drop_text: bool,
    keep_text: bool = False,
    context: tuple[str, ...] = (),
    entities: npt.NDArray[np.int64] | None = None,
    to_fill: Mapping[str, Mask] | None = None,
    find_rules: bool = False,
) -> Prepared:
    """Type, protect and encode a table.

    Args:
        keep_text: free-text columns stay in the table and its language; they have no codes.
        context: columns that are only ever given; the model learns the others.
        entities: int64 (rows,), whose row each is, where rare means held by few of these.
        to_fill: column to bool (rows,): cells that are not known and take no part.
        find_rules: look for rules that every row keeps, and have every synthetic row keep them.

    Raises:
        TableError: too few rows, or cells the schema cannot hold.
        SchemaError: an unknown target or context.
        SettingsError: cells to fill of no column, or of another number of rows.
    """
    _check_to_fill(to_fill or {}, table)
    schema = schema or infer_schema(table, target=target)
    raw, table = table, conform(table, schema)
    for line in respelled_lines(raw, table, schema):
        warnings.warn(RespellingWarning(line), stacklevel=3)
    dropped: tuple[str, ...] = ()
    if drop_text:
        table, schema, dropped = _without_text(table, schema)
    if target is not None:
        schema.column(target)
    for name in context:
        schema.column(name)
    fewest = 1 if keep_rare else _FEWEST_ROWS
    if table.num_rows < fewest:
        raise TableError(
            f"The table has {table.num_rows} rows; at least {fewest} are needed to learn from.",
            hint="Bring more rows, or pass keep_rare (--keep-rare) where no row needs protection.",
        )
    data_hash = table_hash(table)
    floor = 1 if keep_rare else DEFAULT_FLOOR
    texts = OpenTexts(table=table, schema=schema)
    if not (keep_text or drop_text):
        ruled = {name for constraint in schema.constraints for name in constraint.columns}
        fixed = {*context, *ruled, *([target] if target else [])}
        texts = with_open_texts(table, schema, floor=floor, fixed=fixed, entities=entities)
        table, schema = texts.table, texts.schema
    rules = None
    if find_rules and not to_fill:
        rules = _of_enough(discover_rules(table, schema), table, floor, entities)
        schema = replace(schema, constraints=(*schema.constraints, *rules.exact))
    table, schema = with_text_bounds(table, schema, floor=floor)
    schema = with_sentinels(table, schema)
    protected = protect_rare_values(table, schema, floor=floor, entities=entities)
    schema = with_combinations(table, protected.schema, floor=floor, entities=entities)
    schema = with_frequent_values(protected.table, schema, least_rows=floor, entities=entities)
    language = RowLanguage(schema)
    if not len(language.place_sizes) and not any(map(_is_text, schema.columns)):
        raise SchemaError("No column is left to learn; identifiers alone make no table.")
    # Columns of free text may be gone.
    unknown = {n: cells for n, cells in (to_fill or {}).items() if n in language.schema.names}
    codes = _codes(language, protected, unknown, texts)
    return Prepared(
        language=language,
        codes=codes,
        flat=flat_places(language, codes),
        protected=protected,
        dropped_text=dropped,
        data_hash=data_hash,
        context=context,
        is_to_fill=bool(unknown),
        texts=texts,
        rules=rules,
    )


def _of_enough(
    found: Discovery,
    table: pa.Table,
    floor: int,
    entities: npt.NDArray[np.int64] | None,
) -> Discovery:
    """The rules less those that name a value of fewer than `floor` entities."""
    holders = np.arange(table.num_rows) if entities is None else entities

    def is_common(name: str, text: str | None) -> bool:
        return len(np.unique(holders[holds(table[name], text)])) >= floor

    def names_nobody(rule: Constraint) -> bool:
        match rule:
            case ConstantWhen(column=column, value=value, when=when, equals=equals):
                return is_common(column, value) and is_common(when, equals)
            case MissingExactlyWhen(when=when, equals=equals):
                return is_common(when, equals)
            case FixedCombinations() | Lookup():
                return bool(common_rows(table, rule.columns, floor=floor, entities=entities))
        return True

    return replace(
        found,
        exact=tuple(filter(names_nobody, found.exact)),
        near=tuple(one for one in found.near if names_nobody(one.constraint)),
    )


def _check_to_fill(to_fill: Mapping[str, Mask], table: pa.Table) -> None:
    for name, cells in to_fill.items():
        if name not in table.column_names:
            raise SettingsError(f"to_fill names the column {name!r}, which the table lacks.")
        if cells.shape != (table.num_rows,) or cells.dtype != np.bool_:
            raise SettingsError(
                f"to_fill of {name!r} must be bool of shape ({table.num_rows},), one a row; got "
                f"{cells.dtype} of shape {cells.shape}."
            )


def _codes(
    language: RowLanguage, protected: Protected, unknown: Mapping[str, Mask], texts: OpenTexts
) -> Tokens:
    """The table as tokens, SKIPPED where a cell is held back or not known."""
    codes = language.encode(protected.table)
    bare = {name: own.left_out for name, own in texts.spelled.items()}
    for name, left_out in [*protected.left_out.items(), *unknown.items(), *bare.items()]:
        places = language.places(language.schema.names.index(name))
        codes[np.ix_(left_out, np.arange(places.start, places.stop))] = SKIPPED
    return codes


def usual_order(
    language: RowLanguage, target: str | None, context: Sequence[str] = ()
) -> list[int]:
    """Column indices as rows are written when nothing is given.

    Columns of few tokens come first, where thousands of rows share a handful of prefixes, texts
    behind them, and the target last, where it is told by everything else; what is computed from
    others comes behind it. Identifiers take no part. Context comes before all of them; the others
    then stand as in the table, since no two rows share a prefix anyway.
    """
    names = language.schema.names
    columns = [c for c in range(len(names)) if language.places(c)]
    if context:
        return sorted(columns, key=lambda c: (names[c] not in context, names[c] == target))

    computed = {follows(constraint) for constraint in language.schema.constraints}

    def weight(column: int) -> tuple[bool, bool, bool, int, int]:
        sizes = language.place_sizes[list(language.places(column))]
        name, is_text = names[column], _is_text(language.schema.columns[column])
        return name in computed, name == target, is_text, len(sizes), int(sizes.sum())

    return sorted(columns, key=weight)


def _without_text(
    table: pa.Table, schema: TableSchema
) -> tuple[pa.Table, TableSchema, tuple[str, ...]]:
    text = tuple(c.name for c in schema.columns if _is_text(c))
    if len(text) == len(schema.columns):
        raise SchemaError(f"Every column is free text ({_listed(text)}); none is left to learn.")
    schema = schema.without(text)
    return table.select(list(schema.names)), schema, text


def _is_text(column: Column) -> bool:
    return isinstance(column, TextColumn)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def table_hash(table: pa.Table) -> str:
    """sha256 of the table's Arrow stream."""
    digest = hashlib.sha256()
    with pa.ipc.new_stream(pa.PythonFile(_Digest(digest), mode="w"), table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return digest.hexdigest()


class _Digest:
    """A file that only remembers the hash of what is written to it."""

    closed = False

    def __init__(self, digest: hashlib._Hash) -> None:
        self._digest = digest
        self._size = 0

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        return None

    def close(self) -> None:
        return None
