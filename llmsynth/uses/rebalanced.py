"""What rebalancing gives back: the table, an account of each group, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.tables.pandas_frames import to_pandas
from llmsynth.uses.groups import Group
from llmsynth.uses.verdict import Verdict

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class GroupAccount:
    """What was done for one group."""

    group: Group
    real: int
    """Train rows."""
    added: int
    short: int
    """Rows that should have been added and did not come about."""
    relabelled: int
    """Rows drawn that the classifier called otherwise; left out."""
    redrawn: int
    """Added rows that began from a real one; the others were drawn whole."""
    kept_cells: float | None
    """Mean share of their cells that are as in that real row; None where there are none."""
    copies: int
    """Rows that differed in under a tenth of their cells from a real one; left out."""
    prior: float
    """Share of the group among the real train rows."""
    share: float
    """Share of the group in the rebalanced table."""

    def recalibrated(self, probabilities: npt.ArrayLike) -> Floats:
        """Probabilities of the group by a learner of the rebalanced table, at the real share.

        Source: Saerens, Latinne and Decaestecker (2002), Neural Computation 14, 21-41, eq. 2.4.

        Args:
            probabilities: float (rows,), from 0 to 1.
        """
        given = np.asarray(probabilities, dtype=np.float64)
        of_group = given * self.prior / self.share
        others = (1 - given) * (1 - self.prior) / (1 - self.share)
        corrected: Floats = of_group / (of_group + others)
        return corrected


@dataclass(frozen=True, kw_only=True)
class Rebalanced:
    """A rebalanced table, and whether it is worth having."""

    table: pa.Table
    """Real train rows, then synthetic ones."""
    train: pa.Table
    synthetic: pa.Table
    begun_from: npt.NDArray[np.int64]
    """int64, a synthetic row each: the row of `train` it began from; -1 where drawn whole."""
    test: pa.Table | None
    """Real rows held out; test what you teach by `table` on these."""
    schema: TableSchema
    groups: tuple[GroupAccount, ...]
    verdicts: tuple[Verdict, ...]
    """One a group that rows were added to."""
    synthesizer: Synthesizer

    @property
    def verdict(self) -> str:
        """Of the first group: `gain`, `no gain detected`, `harm`, or `not measured`."""
        return self.verdicts[0].verdict

    @property
    def words(self) -> str:
        """The verdicts in words, a line a group."""
        return "\n".join(f"{found.group}: {found.words}" for found in self.verdicts)

    def to_pandas(self) -> pd.DataFrame:
        """The rebalanced table as a DataFrame; see `llmsynth.tables.to_pandas`."""
        return to_pandas(self.table)
