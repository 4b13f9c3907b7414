"""Draws chosen cells of given rows from their distribution given the row's other cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from llmsynth.codec.column_code import Tokens
from llmsynth.engines.compact_sampler import CellMask
from llmsynth.engines.mixed_orders import MixedOrderSampler
from llmsynth.generation.computed_columns import follows, with_computed
from llmsynth.generation.constraints import ConstraintMasks
from llmsynth.progress import Progress, Step, silent
from llmsynth.schema.storage import arrow_type
from llmsynth.tables.broken_rows import broken_rows

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
_BLOCK_ROWS = 1024
_ATTEMPT_STRIDE = 1 << 40
"""Row numbers of a redraw lie this far from the first draw's, so that they get fresh numbers."""


@dataclass
class CompletionReport:
    """Counts of one run."""

    cells: dict[str, int] = field(default_factory=dict)
    """Cells drawn, by column."""
    patterns: int = 0
    """Different sets of cells that were drawn."""
    broken_rows: int = 0
    """Completed rows that break a declared constraint after the last attempt."""


class Completer:
    """Completes rows with a compact model.

    Args:
        may_miss: a drawn cell may be a missing one, where its column has any.
    """

    def __init__(self, sampler: MixedOrderSampler, *, may_miss: bool) -> None:
        self._sampler, self._language = sampler, sampler.language
        self._schema = sampler.language.schema
        self._constraints = ConstraintMasks(self._language)
        self._missing = {} if may_miss else dict(self._missing_tokens())

    def complete(
        self,
        table: pa.Table,
        codes: Tokens,
        wanted: Mask,
        *,
        seed: int,
        max_attempts: int = 20,
        progress: Progress = silent,
    ) -> tuple[pa.Table, CompletionReport]:
        """The table with the wanted cells drawn; every other cell as it was.

        Args:
            table: all columns of the schema in their storage types.
            codes: int32 (rows, places), its cells; SKIPPED at the first place of a cell that the
                language lacks: it takes no part.
            wanted: bool (rows, columns).
            seed: same seed, same cells.
            max_attempts: draws of a row whose constraints are not met; the last one stays.
        """
        report = CompletionReport(patterns=_num_patterns(wanted))
        for index, name in enumerate(self._schema.names):
            if count := int(wanted[:, index].sum()):
                report.cells[name] = count
        left = np.flatnonzero(wanted.any(1))
        num_rows = len(left)
        for attempt in range(max_attempts):
            if not len(left):
                break
            drawn = self._drawn(codes, wanted, left, seed, attempt, progress)
            table = self._merged(table, drawn, wanted, left)
            left = left[self._broken(table.take(pa.array(left)))]
            progress(Step(stage="sample", done=num_rows - len(left), total=num_rows))
        report.broken_rows = len(left)
        return table, report

    def _drawn(
        self,
        codes: Tokens,
        wanted: Mask,
        rows: Rows,
        seed: int,
        attempt: int,
        progress: Progress,
    ) -> Tokens:
        """Codes of some rows with their wanted cells drawn."""
        # Rows of as many wanted cells go together: they need as many steps of the model.
        order = np.argsort(wanted[rows].sum(1), kind="stable")
        out = np.empty((len(rows), codes.shape[1]), dtype=np.int32)
        for first in range(0, len(rows), _BLOCK_ROWS):
            block = order[first : first + _BLOCK_ROWS]
            own = rows[block]
            found = self._sampler.draw(
                torch.from_numpy(codes[own].astype(np.int64)),
                torch.from_numpy(wanted[own]),
                torch.from_numpy(own + attempt * _ATTEMPT_STRIDE),
                seed=seed,
                cell_mask=self._mask,
            )
            out[block] = found.numpy()
            if attempt == 0:
                progress(Step(stage="sample", done=first + len(block), total=len(rows)))
        return out

    def _merged(self, table: pa.Table, drawn: Tokens, wanted: Mask, rows: Rows) -> pa.Table:
        """The table with the drawn cells of some rows in place."""
        for index in np.flatnonzero(wanted[rows].any(0)):
            places = self._language.places(int(index))
            mine = wanted[rows, index]
            tokens = drawn[mine, places.start : places.stop]
            cells = self._language.codes[index].decode(tokens)
            old = table.column(int(index)).combine_chunks()
            source = np.arange(len(old))
            source[rows[mine]] = len(old) + np.arange(len(cells))
            merged = pa.concat_arrays([old, cells.cast(old.type)]).take(pa.array(source))
            table = table.set_column(int(index), table.column_names[index], merged)
        return self._with_computed(table, wanted, rows)

    def _with_computed(self, table: pa.Table, wanted: Mask, rows: Rows) -> pa.Table:
        """Cells that were to be drawn and follow from others, computed from these."""
        names = [name for c in self._schema.constraints if (name := follows(c)) is not None]
        computed = with_computed(table, self._schema, ()) if names else table
        for name in names:
            index = table.column_names.index(name)
            own = np.zeros(table.num_rows, dtype=np.bool_)
            own[rows] = wanted[rows, index]
            table = table.set_column(index, name, _chosen(own, computed[name], table[name]))
        return table

    def _broken(self, table: pa.Table) -> Mask:
        return broken_rows(table, self._schema.constraints)

    @property
    def _mask(self) -> CellMask:
        def mask(column: int, codes: torch.Tensor) -> torch.Tensor | None:
            out = self._constraints(column, codes)
            missing = self._missing.get(column)
            if missing is None:
                return out
            width = int(self._language.place_sizes[self._language.places(column).start])
            present = torch.arange(width) != missing
            return present.expand(len(codes), width) if out is None else out & present

        return mask

    def _missing_tokens(self) -> Iterator[tuple[int, int]]:
        """Columns and the first token of their missing cell."""
        for index, code in enumerate(self._language.codes):
            if code.column.nullable and code.place_sizes:
                nothing = pa.nulls(1, arrow_type(code.column.storage))
                yield index, int(code.encode(nothing)[0, 0])


def _num_patterns(wanted: Mask) -> int:
    bits = np.packbits(wanted[wanted.any(1)], axis=1)
    return len(np.unique(bits, axis=0)) if len(bits) else 0


def _chosen(own: Mask, new: pa.ChunkedArray, old: pa.ChunkedArray) -> pa.Array:
    cells = pa.concat_arrays([old.combine_chunks(), new.combine_chunks().cast(old.type)])
    return cells.take(pa.array(np.arange(len(own)) + own * len(own)))
