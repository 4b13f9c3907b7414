"""k-anonymity and l-diversity of a table for the columns an attacker may know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from llmsynth.errors import SettingsError
from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.intervals import wilson
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.row_keys import cell_keys, row_keys

SMALL = 5


@dataclass(frozen=True, kw_only=True)
class Anonymity:
    """Sizes of the groups of equal quasi-identifiers, and the variety of a secret within them.

    Cells are compared as they are: a table of exact numbers has k = 1. Synthetic rows are not
    people, so a small k is no harm by itself; the figures count for tables that keep rows.

    Source: L. Sweeney (2002), k-anonymity; A. Machanavajjhala et al. (2007), l-diversity
    (distinct form).
    """

    name: ClassVar[str] = "k_anonymity"
    goal: ClassVar[Goal] = "higher"
    range: ClassVar[tuple[float, float]] = (1.0, float("inf"))

    quasi_identifiers: tuple[str, ...]
    """Columns that an attacker may know."""
    sensitive: str | None = None
    """The column that must stay unknown; without it there is no l-diversity."""

    def __post_init__(self) -> None:
        if not self.quasi_identifiers:
            raise SettingsError("k-anonymity needs one quasi-identifier or more, got none.")
        if self.sensitive in self.quasi_identifiers:
            raise SettingsError(f"{self.sensitive!r} cannot be secret and known at once.")

    def compute(self, comparison: Comparison) -> Measurement:
        self._check(comparison.train)
        tables = {
            "synthetic": comparison.synthetic,
            "train": comparison.train,
            "holdout": comparison.holdout,
        }
        sizes = {role: self._sizes(table) for role, table in tables.items()}
        secrets = {role: self._secrets(table) for role, table in tables.items()}
        figures = [_smallest("k_anonymity", "k-anonymity", sizes, KNOWN), _small_share(sizes)]
        if self.sensitive is not None:
            figures.append(_smallest("l_diversity", "l-diversity", secrets, SECRET))
        return Measurement(figures=tuple(figures), tables=(_table(sizes, secrets),))

    def _check(self, table: CodedTable) -> None:
        names = [column.name for column in table.columns]
        for name in (*self.quasi_identifiers, *([self.sensitive] if self.sensitive else [])):
            if name not in names:
                raise SettingsError(
                    f"{name!r} is not a judged column; there are {', '.join(map(repr, names))}."
                )

    def _groups(self, table: CodedTable) -> Codes:
        known = np.array([table.index(name) for name in sorted(self.quasi_identifiers)])
        _, groups = np.unique(row_keys(table, known), return_inverse=True)
        return groups.astype(np.int64)

    def _sizes(self, table: CodedTable) -> Codes:
        """Rows of each group."""
        return np.bincount(self._groups(table)).astype(np.int64)

    def _secrets(self, table: CodedTable) -> Codes:
        """Distinct secrets of each group; 0 everywhere without a secret column."""
        groups = self._groups(table)
        if self.sensitive is None:
            return np.zeros(int(groups.max()) + 1, dtype=np.int64)
        _, secret = np.unique(cell_keys(table, table.index(self.sensitive)), return_inverse=True)
        pairs = np.unique(np.column_stack([groups, secret]), axis=0)
        return np.bincount(pairs[:, 0]).astype(np.int64)


KNOWN = "Rows in the smallest group of synthetic rows that are equal in the quasi-identifiers."
SECRET = "Fewest distinct secrets within such a group; 1 means that a group gives its secret away."


def _smallest(name: str, title: str, found: dict[str, Codes], meaning: str) -> Figure:
    return Figure(
        name=name,
        title=title,
        value=float(found["synthetic"].min()),
        floor=float(found["holdout"].min()),
        goal="higher",
        meaning=f"{meaning} A count of all rows, so without an interval.",
    )


def _small_share(sizes: dict[str, Codes]) -> Figure:
    rows = {role: int(found.sum()) for role, found in sizes.items()}
    small = {role: int(found[found < SMALL].sum()) for role, found in sizes.items()}
    return Figure(
        name="rows_in_small_groups",
        title=f"Rows in groups of fewer than {SMALL}",
        value=small["synthetic"] / rows["synthetic"],
        interval=wilson(small["synthetic"], rows["synthetic"]),
        floor=small["holdout"] / rows["holdout"],
        floor_interval=wilson(small["holdout"], rows["holdout"]),
        goal="lower",
        meaning="Share of synthetic rows whose quasi-identifiers fewer than "
        f"{SMALL} rows share; tables of different size are not comparable.",
    )


def _table(sizes: dict[str, Codes], secrets: dict[str, Codes]) -> DetailTable:
    rows = tuple(
        (
            role,
            int(found.sum()),
            len(found),
            int(found.min()),
            int((found == 1).sum()),
            int(secrets[role].min()) or None,
        )
        for role, found in sizes.items()
    )
    return DetailTable(
        name="anonymity",
        title="Groups of equal quasi-identifiers",
        columns=("table", "rows", "groups", "smallest group", "groups of one", "fewest secrets"),
        rows=rows,
        meaning="Good: large groups with several secrets each. Groups of the synthetic table are "
        "of made-up rows and identify nobody by themselves.",
    )
