"""Declared constraints at work: which tokens they leave, which rows break them.

Fixed combinations and "missing exactly when" are carried by the automaton, as masks on the first
place of a cell; a sum's total is computed from its parts; an inequality is left to redrawing.
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
from llmsynth.errors import SchemaError
from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.constraints import (
    Constraint,
    FixedCombinations,
    Inequality,
    MissingExactlyWhen,
    Sum,
)
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema


def with_combinations(table: pa.Table, schema: TableSchema, *, floor: int) -> TableSchema:
    """The schema with every FixedCombinations filled in from a table where it lists none.

    Combinations held by fewer than `floor` rows are left out.
    """
    filled: list[Constraint] = []
    for constraint in schema.constraints:
        if isinstance(constraint, FixedCombinations) and not constraint.combinations:
            columns = list(constraint.columns)
            counted = table.select(columns).group_by(columns).aggregate([([], "count_all")])
            common = counted.filter(pc.greater_equal(counted["count_all"], floor))
            texts = [_texts(common[name]) for name in columns]
            rows = tuple(sorted(zip(*texts, strict=True), key=str))
            if not rows:
                raise SchemaError(
                    f"Constraint fixed_combinations of {', '.join(columns)}: no combination is held "
                    f"by {floor} rows or more."
                )
            constraint = replace(constraint, combinations=rows)
        filled.append(constraint)
    return replace(schema, constraints=tuple(filled))


def violations(table: pa.Table, constraint: Constraint) -> npt.NDArray[np.bool_]:
    """Which rows break a constraint; bool (rows,)."""
    match constraint:
        case Inequality(low=low, high=high, strict=strict):
            compare = pc.greater_equal if strict else pc.greater
            broken = compare(table[low], table[high])
        case Sum(parts=parts, total=total):
            numbers = [table[name].cast(pa.float64()) for name in (*parts, total)]
            summed = numbers[0]
            for number in numbers[1:-1]:
                summed = pc.add(summed, number)
            apart = pc.abs(pc.subtract(summed, numbers[-1]))
            broken = pc.greater(apart, pc.multiply(pc.add(pc.abs(summed), 1.0), 1e-9))
        case MissingExactlyWhen(column=column, when=when, equals=equals):
            holds = np.array([text == equals for text in _texts(table[when])])
            return np.asarray(table[column].is_null().to_numpy() != holds)
        case FixedCombinations(columns=columns, combinations=combinations):
            known = set(combinations)
            rows = zip(*(_texts(table[name]) for name in columns), strict=True)
            return np.array([row not in known for row in rows], dtype=np.bool_)
    return np.asarray(broken.fill_null(False).to_numpy())


def with_totals(table: pa.Table, schema: TableSchema, given: Sequence[str]) -> pa.Table:
    """The table with each sum's total computed from its parts, unless the total was given."""
    for constraint in schema.constraints:
        if isinstance(constraint, Sum) and constraint.total not in given:
            column = schema.column(constraint.total)
            assert isinstance(column, NumberColumn)
            total = table[constraint.parts[0]].cast(pa.float64())
            for part in constraint.parts[1:]:
                total = pc.add(total, table[part].cast(pa.float64()))
            total = pc.coalesce(pc.round(total, column.scale), table[column.name].cast(pa.float64()))
            index = table.schema.get_field_index(column.name)
            table = table.set_column(index, column.name, total.cast(arrow_type(column.storage)))
    return table


class ConstraintMasks:
    """Masks that keep a row within its constraints while it is being written."""

    def __init__(self, language: RowLanguage) -> None:
        self._language = language
        self._combinations = [
            table
            for constraint in language.schema.constraints
            if isinstance(constraint, FixedCombinations)
            and (table := _combination_tokens(language, constraint)) is not None
        ]
        self._missing = [
            rule
            for constraint in language.schema.constraints
            if isinstance(constraint, MissingExactlyWhen)
            and (rule := _missing_rule(language, constraint)) is not None
        ]

    def __call__(self, column: int, codes: Tensor) -> Tensor | None:
        """Tokens that may stand at the column's first place, given the rows so far.

        Args:
            codes: int64 (rows, places); negative where nothing is written yet.

        Returns:
            bool (rows, tokens), or None where no constraint speaks of the column.
        """
        place = self._language.places(column).start
        masks = [
            mask
            for places, rows in self._combinations
            if (mask := _combination_mask(place, places, rows, codes, self._width(place))) is not None
        ]
        masks += [
            mask
            for rule in self._missing
            if (mask := _missing_mask(place, rule, codes, self._width(place))) is not None
        ]
        out: Tensor | None = None
        for mask in masks:
            out = mask if out is None else out & mask
        if out is not None:
            # A row whose other columns leave nothing is written freely; the check redraws it.
            out = out | ~out.any(1, keepdim=True)
        return out

    def _width(self, place: int) -> int:
        return int(self._language.place_sizes[place])


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    return column.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]


def _token_of(language: RowLanguage, name: str, text: str | None) -> int | None:
    """The only token of a cell, or None where the cell takes several or does not exist."""
    code = language.codes[language.schema.names.index(name)]
    kind = arrow_type(code.column.storage)
    cell = pa.array([text], pa.string()).cast(kind)
    tokens = code.encode(cell)
    return int(tokens[0, 0]) if (tokens[0, 1:] < 0).all() else None


def _combination_tokens(
    language: RowLanguage, constraint: FixedCombinations
) -> tuple[list[int], Tensor] | None:
    rows = [
        [_token_of(language, name, text) for name, text in zip(constraint.columns, row, strict=True)]
        for row in constraint.combinations
    ]
    if any(token is None for row in rows for token in row):
        return None
    names = language.schema.names
    places = [language.places(names.index(name)).start for name in constraint.columns]
    return places, torch.tensor(rows, dtype=torch.int64)


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


_MissingRule = tuple[int, int, int, int]


def _missing_rule(language: RowLanguage, constraint: MissingExactlyWhen) -> _MissingRule | None:
    """(place of the column, its missing token, place of the other, the other's token)."""
    names = language.schema.names
    missing = _token_of(language, constraint.column, None)
    other = _token_of(language, constraint.when, constraint.equals)
    if missing is None or other is None:
        return None
    at, when = (language.places(names.index(n)).start for n in constraint.columns)
    return at, missing, when, other


def _missing_mask(place: int, rule: _MissingRule, codes: Tensor, width: int) -> Tensor | None:
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
