"""Whether synthetic texts are linked to train texts more often than fresh real texts would be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from llmsynth_eval.coded_table import Codes

NUM_DRAWS = 1_999
BLOCK = 100
TRAIN, SYNTHETIC, HOLDOUT = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Links:
    """Which texts of the three tables hold which shared item (a whole text, a run, a likeness)."""

    texts: Codes
    items: Codes


@dataclass(frozen=True, kw_only=True)
class LinkTest:
    """How many synthetic texts share an item with train only, and how many would by chance."""

    only_train: int
    only_holdout: int
    expected: float
    """Mean of `only_train` when every text could have come to lie in any of the tables."""
    p_value: float


def shared_items(texts: Codes, items: Codes) -> Links:
    """The items that more than one text holds, each text once."""
    pairs = np.unique(np.stack((items, texts)), axis=1)
    numbers, sizes = np.unique(pairs[0], return_counts=True)
    kept = np.isin(pairs[0], numbers[sizes > 1])
    return Links(texts=pairs[1][kept], items=np.unique(pairs[0][kept], return_inverse=True)[1])


def compare_links(links: Links, role: Codes, *, rng: np.random.Generator) -> LinkTest:
    """Compare the links as they are with 1,999 random allotments of the texts to the tables.

    Texts that fresh real rows share by nature (boilerplate, repeated rows) are as often shared
    within train, within the holdout and between the two, so they are in the expectation. Each
    text is allotted to a table with the table's share of all texts. The p-value is the mid-p:
    counts are small, and taking half of the ties keeps the test at its level.

    Source: Lancaster (1961), JASA 56, 223-234 (mid-p).

    Args:
        role: 0 train, 1 synthetic, 2 holdout for every text of the three tables.
    """
    if not len(links.texts):
        return LinkTest(only_train=0, only_holdout=0, expected=0.0, p_value=1.0)
    names, rows = np.unique(links.texts, return_inverse=True)
    holds = coo_array((np.ones(len(rows), dtype=np.int32), (rows, links.items))).tocsr()
    only_train, only_holdout = _counts(holds, role[names][:, None])
    edges = np.cumsum(np.bincount(role, minlength=3) / len(role))[:2]
    drawn = []
    for start in range(0, NUM_DRAWS, BLOCK):
        shape = (len(names), min(BLOCK, NUM_DRAWS - start))
        drawn.append(_counts(holds, np.searchsorted(edges, rng.random(shape), side="right"))[0])
    chance = np.concatenate(drawn)
    above, equal = int((chance > only_train[0]).sum()), int((chance == only_train[0]).sum())
    return LinkTest(
        only_train=int(only_train[0]),
        only_holdout=int(only_holdout[0]),
        expected=float(chance.mean()),
        p_value=(0.5 + above + equal / 2) / (1 + NUM_DRAWS),
    )


def _counts(holds: csr_array, role: NDArray[np.int64]) -> tuple[Codes, Codes]:
    """Synthetic texts linked to train and not to the holdout, and the reverse, per allotment."""
    in_train, in_holdout = (
        holds @ ((holds.T @ (role == wanted).astype(np.int32)) > 0).astype(np.int32) > 0
        for wanted in (TRAIN, HOLDOUT)
    )
    is_synthetic = role == SYNTHETIC
    return (
        (is_synthetic & in_train & ~in_holdout).sum(axis=0),
        (is_synthetic & in_holdout & ~in_train).sum(axis=0),
    )
