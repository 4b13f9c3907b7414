"""Three tables of raw texts, and how one text column of them is to be measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from llmsynth.errors import SettingsError, TableError
from llmsynth_eval.text.embedders import Embedder

Role = Literal["train", "synthetic", "holdout"]
ROLES: tuple[Role, ...] = ("train", "synthetic", "holdout")
MAX_TEXTS = 30_000


@dataclass(frozen=True, kw_only=True)
class TextComparison:
    """A column of texts in train, synthetic and holdout, with the rows' other columns.

    Rows without a text are left out; the others stand in an order that only their cells decide,
    so neither row order nor column order changes a figure.
    """

    train: pd.DataFrame
    synthetic: pd.DataFrame
    holdout: pd.DataFrame
    column: str
    """The text column."""
    label: str | None = None
    """The column whose relation to the text is asked for by name."""
    seed: int = 0
    embedder: Embedder | None = None
    """None stands for hashed words, which need no model."""
    max_texts: int = MAX_TEXTS
    """Most texts of a table; of a larger table so many are drawn by the seed."""

    def __post_init__(self) -> None:
        if self.max_texts < 1:
            raise SettingsError(f"max_texts must be 1 or more, got {self.max_texts}.")
        if self.label == self.column:
            raise SettingsError(f"The label must be another column than the text {self.column!r}.")
        for number, role in enumerate(ROLES):
            frame = self.frame(role)
            self._check_columns(frame, role)
            frame = frame[frame[self.column].notna()]
            if not len(frame):
                raise TableError(
                    f"Column {self.column!r} of the {role} table holds no text.",
                    hint="Leave the column out, or give rows with texts.",
                )
            rng = np.random.default_rng((self.seed, number))
            object.__setattr__(self, role, _drawn(_in_order(frame), self.max_texts, rng))
        if self.train.equals(self.holdout):
            raise TableError(
                "The train and the holdout table hold the same rows.",
                hint="Set rows aside before training and give those as the holdout.",
            )

    def frame(self, role: Role) -> pd.DataFrame:
        """One of the three tables."""
        return {"train": self.train, "synthetic": self.synthetic, "holdout": self.holdout}[role]

    def texts(self, role: Role) -> list[str]:
        """The texts of one table, one per row of its frame."""
        return [str(text) for text in self.frame(role)[self.column]]

    @property
    def other_columns(self) -> tuple[str, ...]:
        """Columns beside the text that all three tables have, by name."""
        shared = self.train.columns.intersection(self.synthetic.columns)
        shared = shared.intersection(self.holdout.columns)
        return tuple(sorted(str(name) for name in shared if name != self.column))

    def _check_columns(self, frame: pd.DataFrame, role: Role) -> None:
        for name in filter(None, (self.column, self.label)):
            if name not in frame.columns:
                raise TableError(
                    f"The {role} table has no column {name!r}; it has "
                    f"{', '.join(map(repr, frame.columns))}."
                )


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows sorted by a hash of all cells: random with respect to what they say."""
    named = frame.reindex(sorted(map(str, frame.columns)), axis=1).astype(object)
    hashes = pd.util.hash_pandas_object(named.astype(str), index=False).to_numpy()
    return frame.iloc[np.argsort(hashes, kind="stable")].reset_index(drop=True)


def _drawn(frame: pd.DataFrame, most: int, rng: np.random.Generator) -> pd.DataFrame:
    if len(frame) <= most:
        return frame
    return frame.iloc[np.sort(rng.choice(len(frame), size=most, replace=False))].reset_index(
        drop=True
    )
