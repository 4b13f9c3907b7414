"""Constraints at work: which tokens they leave, which cells they fix.

Fixed combinations, "constant when" and "missing exactly when" are carried by the automaton, as
masks on the first place of a cell; an inequality is left to redrawing. What follows from other
cells is computed once the row is written: see `generation.computed_columns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import InputError, SchemaError
from llmsynth.schema.columns import (
    IdentifierColumn,
    TextColumn,
)
from llmsynth.schema.constraints import (
    ConstantWhen,
    Constraint,
    FixedCombinations,
    Inequality,
    Lookup,
    MissingExactlyWhen,
)
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.broken_rows import cell_texts, spelled


def with_combinations(
    table: pa.Table,
    schema: TableSchema,
    *,
    floor: int,
    entities: npt.NDArray[np.int64] | None = None,
) -> TableSchema:
    """The schema with its constraints made ready for this table.

    Every FixedCombinations and Lookup that lists none is filled in from the table, less what fewer
    than `floor` entities hold; every text that stands for a cell is spelled as `violations` does.

    Args:
        entities: int64 (rows,), whose row each is; each row its own when omitted.
        table: the table as it came. One whose rare values were replaced holds combinations that
            nobody had.

    Raises:
        SchemaError: no combination is common enough, a text is no cell of its column, or a
            constraint names a column that it cannot hold.
    """
    filled: list[Constraint] = []
    for constraint in schema.constraints:
        _check(schema, constraint)
        if (isinstance(constraint, FixedCombinations) and not constraint.combinations) or (
            isinstance(constraint, Lookup) and not constraint.entries
        ):
            constraint = _filled_in(table, constraint, floor, entities)
        filled.append(spelled(schema, constraint))
    return replace(schema, constraints=tuple(filled))


def _check(schema: TableSchema, constraint: Constraint) -> None:
    columns = [schema.column(name) for name in constraint.columns]
    for column in columns:
        if isinstance(column, IdentifierColumn | TextColumn):
            raise SchemaError(
                f"Constraint {constraint.kind} names {column.name!r}, which is {column.kind}: such "
                "cells are not drawn with their rows."
            )
    if isinstance(constraint, Inequality):
        zones = [bool(getattr(arrow_type(column.storage), "tz", None)) for column in columns]
        if zones[0] != zones[1]:
            raise SchemaError(
                f"Constraint inequality compares {constraint.low!r} with {constraint.high!r}, of "
                "which only one has a time zone."
            )


def common_rows(
    table: pa.Table,
    columns: Sequence[str],
    *,
    floor: int,
    entities: npt.NDArray[np.int64] | None = None,
) -> tuple[tuple[str | None, ...], ...]:
    """What some columns hold together in rows of at least `floor` entities, as cell texts."""
    keys = [str(index) for index in range(len(columns))]
    holders = np.arange(table.num_rows) if entities is None else entities
    cells = table.select(list(columns)).rename_columns(keys)
    cells = cells.append_column("holder", pa.array(holders))
    counted = cells.group_by(keys).aggregate([("holder", "count_distinct")])
    common = counted.filter(pc.greater_equal(counted["holder_count_distinct"], floor))
    rows = zip(*(cell_texts(common[key]) for key in keys), strict=True)
    return tuple(sorted(rows, key=str))


def _filled_in(
    table: pa.Table,
    constraint: FixedCombinations | Lookup,
    floor: int,
    entities: npt.NDArray[np.int64] | None,
) -> Constraint:
    rows = common_rows(table, constraint.columns, floor=floor, entities=entities)
    if not rows:
        raise SchemaError(
            f"Constraint {constraint.kind} of {', '.join(constraint.columns)}: no combination is "
            f"held by {floor} rows or more."
        )
    if isinstance(constraint, Lookup):
        return replace(constraint, entries=_one_a_key(constraint, rows))
    return replace(constraint, combinations=rows)


def _one_a_key(
    rule: Lookup, rows: Sequence[tuple[str | None, ...]]
) -> tuple[tuple[str | None, str | None], ...]:
    keys = [key for key, _ in rows]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise SchemaError(
            f"Constraint lookup: {rule.key!r} = {twice!r} goes with several values of "
            f"{rule.column!r} in the table.",
            hint="Declare fixed_combinations instead, or correct the rows.",
        )
    return tuple((key, cell) for key, cell in rows)


class ConstraintMasks:
    """Masks that keep a row within its constraints while it is being written."""

    def __init__(self, language: RowLanguage) -> None:
        self._language = language
        self._combinations = [
            _combination_tokens(language, constraint)
            for constraint in language.schema.constraints
            if isinstance(constraint, FixedCombinations)
        ]
        self._missing = [
            rule
            for constraint in language.schema.constraints
            if isinstance(constraint, MissingExactlyWhen)
            and (rule := _missing_rule(language, constraint)) is not None
        ]
        self._constant = [
            rule
            for constraint in language.schema.constraints
            if isinstance(constraint, ConstantWhen)
            and (rule := _constant_rule(language, constraint)) is not None
        ]

    def __call__(self, column: int, codes: Tensor) -> Tensor | None:
        """Tokens that may stand at the column's first place, given the rows so far.

        Args:
            codes: int64 (rows, places); negative where nothing is written yet.

        Returns:
            bool (rows, tokens), or None where no constraint speaks of the column.
        """
        place = self._language.places(column).start
        width = int(self._language.place_sizes[place])
        masks = [
            mask
            for places, rows in self._combinations
            if (mask := _combination_mask(place, places, rows, codes, width)) is not None
        ]
        masks += [
            mask
            for rule in self._missing
            if (mask := _missing_mask(place, rule, codes, width)) is not None
        ]
        masks += [
            mask
            for rule in self._constant
            if (mask := _constant_mask(place, rule, codes, width)) is not None
        ]
        out: Tensor | None = None
        for mask in masks:
            out = mask if out is None else out & mask
        if out is not None:
            # A row whose other columns leave nothing is written freely; the check redraws it.
            out = out | ~out.any(1, keepdim=True)
        return out


def _tokens_of(language: RowLanguage, name: str, text: str | None) -> list[int] | None:
    """The tokens of a cell, or None where the language has no such cell."""
    code = language.codes[language.schema.names.index(name)]
    try:
        cell = pa.array([text], pa.string()).cast(arrow_type(code.column.storage))
        tokens = code.encode(cell)[0]
    except (InputError, pa.ArrowException):
        return None
    return [int(token) for token in tokens if token >= 0]


def _combination_tokens(
    language: RowLanguage, constraint: FixedCombinations
) -> tuple[list[int], Tensor]:
    """First places of the columns, and int64 (combinations, columns) tokens that stand there.

    Where a cell takes several tokens, the first of them narrows the draw and the check decides.
    """
    names = language.schema.names
    rows = [
        [_tokens_of(language, *cell) for cell in zip(constraint.columns, row, strict=True)]
        for row in constraint.combinations
    ]
    known = [[cell[0] for cell in row if cell] for row in rows if all(row)]
    places = [language.places(names.index(name)).start for name in constraint.columns]
    return places, torch.tensor(known, dtype=torch.int64).reshape(len(known), len(places))


def _combination_mask(
    place: int, places: list[int], combinations: Tensor, codes: Tensor, width: int
) -> Tensor | None:
    if place not in places:
        return None
    open_rows = torch.ones(len(codes), len(combinations), dtype=torch.bool)
    for index, other in enumerate(places):
        written = codes[:, other]
        if other != place:
            open_rows &= (written[:, None] == combinations[None, :, index]) | (written < 0)[:, None]
    tokens = combinations[:, places.index(place)]
    mask = torch.zeros(len(codes), width)
    return mask.index_add_(1, tokens, open_rows.float()) > 0


_CellRule = tuple[int, int, int, int]
"""(place of the column, its token, place of the other, the other's token)"""


def _constant_rule(language: RowLanguage, constraint: ConstantWhen) -> _CellRule | None:
    names = language.schema.names
    value = _tokens_of(language, constraint.column, constraint.value)
    other = _tokens_of(language, constraint.when, constraint.equals)
    # Where a cell takes several tokens, its first would also stand for other cells.
    if value is None or other is None or len(value) > 1 or len(other) > 1:
        return None
    at, when = (language.places(names.index(n)).start for n in constraint.columns)
    return at, value[0], when, other[0]


def _constant_mask(place: int, rule: _CellRule, codes: Tensor, width: int) -> Tensor | None:
    at, value, when, other = rule
    if place == at:
        forced, allowed = codes[:, when] == other, torch.arange(width) == value
        return ~forced[:, None] | allowed[None, :]
    if place == when:
        written = codes[:, at]
        refused = (written >= 0) & (written != value)
        return ~(refused[:, None] & (torch.arange(width) == other)[None, :])
    return None


def _missing_rule(language: RowLanguage, constraint: MissingExactlyWhen) -> _CellRule | None:
    names = language.schema.names
    missing = _tokens_of(language, constraint.column, None)
    other = _tokens_of(language, constraint.when, constraint.equals)
    if missing is None or other is None or len(other) > 1:
        return None
    at, when = (language.places(names.index(n)).start for n in constraint.columns)
    return at, missing[0], when, other[0]


def _missing_mask(place: int, rule: _CellRule, codes: Tensor, width: int) -> Tensor | None:
    at, missing, when, other = rule
    if place == at:
        written, here, elsewhere = codes[:, when], missing, other
    elif place == when:
        written, here, elsewhere = codes[:, at], other, missing
    else:
        return None
    is_here = torch.arange(width) == here
    forced = (written == elsewhere)[:, None] == is_here[None, :]
    return forced | (written < 0)[:, None]
