"""A parent table and its children, or sequences of rows, in real and synthetic form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from llmsynth.errors import SettingsError, TableError
from llmsynth_eval.cells import Floats, numbers, texts
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.input_tables import Table, as_frame


@dataclass(frozen=True, kw_only=True)
class Link:
    """Which columns bind children to parents, and what orders the children of one parent."""

    child_key: str
    """Column of the children that names their parent, or the sequence a row belongs to."""
    parent_key: str | None = None
    """Column of the parents that the children name; None for sequences without a parent table."""
    order: str | None = None
    """Column that orders the rows of one parent; without it they stay as they come."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One parent table with its children; sequences have no parent table."""

    children: Table
    parents: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Families:
    """The families to compare: what was learned from, what was made, what was held out.

    Raises:
        SettingsError: a parent key without parents, or parents without a key.
        TableError: a table that is empty or lacks a column of the link.
    """

    link: Link
    train: Family
    synthetic: Family
    holdout: Family | None = None
    """Without it there is no floor."""

    def __post_init__(self) -> None:
        for role, family in self.by_role.items():
            if (family.parents is None) != (self.link.parent_key is None):
                raise SettingsError(
                    f"The {role} family must have a parent table exactly when the link names a "
                    f"parent key; it {'has none' if family.parents is None else 'has one'}.",
                    hint="Give both, or neither for sequences of rows.",
                )
            _frame(family.children, f"{role} children", self.link.child_key, self.link.order)
            if family.parents is not None:
                _frame(family.parents, f"{role} parents", self.link.parent_key)

    @property
    def by_role(self) -> Mapping[str, Family]:
        """The families that were given, by role."""
        given = {"train": self.train, "synthetic": self.synthetic, "holdout": self.holdout}
        return {role: family for role, family in given.items() if family is not None}

    @cached_property
    def rows(self) -> Mapping[str, FamilyRows]:
        """The keys and the order of every family's rows."""
        return {role: _rows(family, role, self.link) for role, family in self.by_role.items()}


@dataclass(frozen=True, kw_only=True)
class FamilyRows:
    """Keys as numbers, and the children in the order of their parents."""

    children: pd.DataFrame
    """Sorted by parent, then by the ordering column."""
    parent_of: Codes
    """Parent number of each child row, rising; children without a key are left out."""
    num_parents: int
    """Parents that are named or listed."""
    is_listed: NDArray[np.bool_]
    """Whether each parent number is in the parent table; all of them for sequences."""
    num_missing_keys: int
    """Children that name no parent."""
    num_repeated_keys: int
    """Rows of the parent table whose key is missing or an earlier row's."""
    num_parent_rows: int

    @property
    def sizes(self) -> Codes:
        """Children of each listed parent."""
        counted = np.bincount(self.parent_of, minlength=self.num_parents)[self.is_listed]
        return counted.astype(np.int64)

    def follows(self, lag: int = 1) -> tuple[Codes, Codes]:
        """Places of two children of one parent, the second `lag` after the first."""
        first = np.arange(max(0, len(self.parent_of) - lag))
        same = self.parent_of[first] == self.parent_of[first + lag]
        return first[same].astype(np.int64), (first[same] + lag).astype(np.int64)

    def numbers(self, name: str, *, role: str) -> Floats:
        """A numeric column of the children."""
        return numbers(self.children[name], table=f"{role} children")


def _rows(family: Family, role: str, link: Link) -> FamilyRows:
    children = as_frame(family.children, role=f"{role} children")
    named = texts(children[link.child_key])
    listed = np.empty(0, dtype=object)
    if family.parents is not None:
        listed = texts(as_frame(family.parents, role=f"{role} parents")[str(link.parent_key)])
    has_key = np.array([key is not None for key in named], dtype=np.bool_)
    real_keys = [key for key in listed if key is not None]
    keys, codes = np.unique(np.array([*named[has_key], *real_keys], dtype=str), return_inverse=True)
    codes = codes.astype(np.int64)
    parent_of, children = codes[: has_key.sum()], children[has_key].reset_index(drop=True)
    order = _order(parent_of, children, link, role)
    is_listed = np.zeros(len(keys), dtype=np.bool_)
    is_listed[codes[has_key.sum() :]] = True
    return FamilyRows(
        children=children.iloc[order].reset_index(drop=True),
        parent_of=parent_of[order],
        num_parents=len(keys),
        is_listed=is_listed if family.parents is not None else np.ones(len(keys), dtype=np.bool_),
        num_missing_keys=int((~has_key).sum()),
        num_repeated_keys=len(listed) - int(is_listed.sum()),
        num_parent_rows=len(listed),
    )


def _order(parent_of: Codes, children: pd.DataFrame, link: Link, role: str) -> Codes:
    if link.order is None:
        return np.argsort(parent_of, kind="stable").astype(np.int64)
    cells = children[link.order]
    try:
        places: Floats = numbers(cells, table=f"{role} children")
    except TableError:
        words = pd.Categorical(texts(cells), ordered=True)  # texts such as 2024-05-01 sort as dates
        places = np.asarray(words.codes, dtype=np.float64)
    return np.lexsort((places, parent_of)).astype(np.int64)


def _frame(table: Table, role: str, *names: str | None) -> None:
    frame = as_frame(table, role=role)
    for name in names:
        if name is not None and name not in frame.columns:
            raise TableError(
                f"The {role} table has no column {name!r}; it has "
                f"{', '.join(map(repr, frame.columns))}.",
                hint="Name the column in the link as the table does.",
            )
