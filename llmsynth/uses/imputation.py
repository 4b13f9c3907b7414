"""Filling in: missing cells drawn from their distribution given the rest of their row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import SettingsError
from llmsynth.progress import Progress, silent
from llmsynth.schema.constraints import MissingExactlyWhen
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.private_codes import encode_leniently
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.tables.broken_rows import holds
from llmsynth.tables.conforming import conform
from llmsynth.tables.pandas_frames import to_pandas
from llmsynth.tables.reading import read_table
from llmsynth.uses.fitting import completer, fitted, is_fitted

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Imputed:
    """A table without its gaps, once or several times over."""

    tables: tuple[pa.Table, ...]
    """One a draw; they differ in the cells that were missing, and in nothing else."""
    schema: TableSchema
    filled: Mapping[str, int]
    """Cells drawn, by column."""
    left: Mapping[str, int]
    """Cells still missing, by column: of columns that were not asked for, that are no typed ones,
    or that a declared constraint wants missing."""
    patterns: int
    """Different sets of cells that rows lacked."""
    broken_rows: int
    """Completed rows of the first draw that break a declared constraint all the same."""
    synthesizer: Synthesizer

    @property
    def table(self) -> pa.Table:
        """The first draw."""
        return self.tables[0]

    def to_pandas(self, draw: int = 0) -> pd.DataFrame:
        """One draw as a DataFrame; see `llmsynth.tables.to_pandas`."""
        return to_pandas(self.tables[draw])


def impute(
    table: TableSource,
    *,
    columns: Sequence[str] | None = None,
    draws: int = 1,
    synthesizer: Synthesizer | None = None,
    missing: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = silent,
) -> Imputed:
    """Draw every missing cell from what the model learned of it, given the row's known cells.

    All missing cells of a row are drawn together, so they fit each other; several draws show how
    uncertain they are (multiple imputation). Cells that are there are never changed. The model
    conditions on what is known, not on what is missing: that is right where the reason for a gap
    lies in the known cells. What it fits is fitted for this: a gap is no value that is learned, but
    a cell that is not there, and any part of a row may be given.

    Args:
        columns: fill these alone; a gap in another column then counts as known to be one.
        draws: how often the table is completed.
        synthesizer: with the settings of the fit; one that is fitted already is used as it is.
            The default learns rare values, too, since the table's own rows come back anyway.
        missing: cell texts that mean "missing" in a CSV file, besides the empty cell.

    Raises:
        SettingsError: a column that is none, fewer than one draw, no gap to learn a model for.
        TableError, SchemaError: the table cannot be learned as it stands.
    """
    if draws < 1:
        raise SettingsError(f"draws must be at least 1, got {draws}.")
    source = read_table(table, missing=missing)
    synthesizer = synthesizer or Synthesizer(seed=seed, keep_rare=True, drop_text=True)
    schema = synthesizer.schema or infer_schema(source, target=synthesizer.target)
    typed = conform(source, schema)
    _check(columns, typed)
    if not is_fitted(synthesizer):
        to_fill = dict(_gaps(typed, schema, columns))
        _check_gaps(columns, to_fill)
        synthesizer = fitted(synthesizer, typed, progress, to_fill=to_fill)
    learned = synthesizer.learner_.language
    known = conform(typed.select(list(learned.schema.names)), learned.schema)
    wanted = _wanted(known, learned, columns)
    codes = encode_leniently(known, learned, np.arange(known.num_rows))
    filler = completer(synthesizer, may_miss=False)
    seeds = np.random.SeedSequence(seed).generate_state(draws)
    found = [
        filler.complete(known, codes, wanted, seed=int(one), progress=progress) for one in seeds
    ]
    report = found[0][1]
    tables = tuple(_with_columns(typed, completed) for completed, _ in found)
    return Imputed(
        tables=tables,
        schema=schema,
        filled=report.cells,
        left={n: c for n in typed.column_names if (c := tables[0][n].null_count)},
        patterns=report.patterns,
        broken_rows=report.broken_rows,
        synthesizer=synthesizer,
    )


def _check(columns: Sequence[str] | None, table: pa.Table) -> None:
    for name in columns or ():
        if name not in table.column_names:
            raise SettingsError(
                f"No column {name!r}; there are {', '.join(map(repr, table.column_names))}."
            )


def _check_gaps(columns: Sequence[str] | None, gaps: Mapping[str, Mask]) -> None:
    """A fit takes minutes, and fills nothing where a text such as '?' stands for the gaps."""
    if not gaps:
        where = f" of {', '.join(columns)}" if columns else ""
        raise SettingsError(
            f"No cell{where} is missing that no constraint wants so: there is nothing to fill in.",
            hint="Name the text that stands for a missing cell, such as '?', as `missing`.",
        )


def _gaps(
    table: pa.Table, schema: TableSchema, columns: Sequence[str] | None
) -> Iterator[tuple[str, Mask]]:
    """Columns that have gaps to fill, and which cells these are: bool (rows,)."""
    for name in table.column_names if columns is None else columns:
        gaps: Mask = table[name].is_null().to_numpy().copy()
        for constraint in schema.constraints:
            if isinstance(constraint, MissingExactlyWhen) and constraint.column == name:
                gaps &= ~holds(table[constraint.when], constraint.equals)
        if gaps.any():
            yield name, gaps


def _wanted(table: pa.Table, language: RowLanguage, columns: Sequence[str] | None) -> Mask:
    """Which cells are to be drawn; bool (rows, columns)."""
    names = language.schema.names
    out = np.zeros((table.num_rows, table.num_columns), dtype=np.bool_)
    asked = None if columns is None else [name for name in columns if name in names]
    for name, gaps in _gaps(table, language.schema, asked):
        code = language.codes[names.index(name)]
        # A column of which no cell was learned has nothing that could be drawn.
        if code.place_sizes and code.place_sizes[0] > code.column.nullable:
            out[:, names.index(name)] = gaps
    return out


def _with_columns(table: pa.Table, new: pa.Table) -> pa.Table:
    for name in new.column_names:
        table = table.set_column(table.column_names.index(name), name, new[name])
    return table
