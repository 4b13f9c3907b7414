"""Finds existing parents for rows that were made under another parent: learned wishes, exact slots.

A row's model also draws what its second parent is like. Parents have as many slots as were drawn
for them; rows take slots of parents that are as wished, first in every respect, then in fewer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]

NO_PARENT = -1
_MOST_WISHES = 4
_LEAST_INFORMATION = 0.01
"""Nats that a parent's column must tell about the row or its other parent to be wished for."""


def match(
    wishes: Codes, offers: Codes, slots: Codes, rng: np.random.Generator, *, is_single: bool
) -> Codes:
    """A parent for each row.

    Args:
        wishes: int64 (rows, wishes), the most telling first; any negative code equals itself.
        offers: int64 (parents, wishes), the same of each parent.
        slots: int64 (parents,), rows each parent is to have; fitted to the number of rows.
        is_single: a parent has one row at most while there are parents enough.

    Returns:
        int64 (rows,), the parent of each row.
    """
    room = fitted_slots(slots, len(wishes), rng, is_single=is_single)
    open_slots = np.repeat(np.arange(len(offers)), room)
    open_slots = open_slots[rng.permutation(len(open_slots))]
    waiting = rng.permutation(len(wishes))
    found = np.full(len(wishes), NO_PARENT, dtype=np.int64)
    for depth in range(wishes.shape[1], -1, -1):
        if not len(waiting):
            break
        asked, offered = _ids(wishes[waiting, :depth], offers[open_slots, :depth])
        rows, places = _pairs(asked, offered)
        found[waiting[rows]] = open_slots[places]
        waiting, open_slots = np.delete(waiting, rows), np.delete(open_slots, places)
    return found


def fitted_slots(slots: Codes, needed: int, rng: np.random.Generator, *, is_single: bool) -> Codes:
    """Slots that add up to `needed`: taken away at random, or added where there are some already.

    Where parents have one row at most, slots are added to parents without any, as long as there are
    such parents.
    """
    room = slots.copy()
    surplus = int(room.sum()) - needed
    if surplus > 0:
        taken = rng.choice(int(room.sum()), surplus, replace=False)
        owners = np.repeat(np.arange(len(room)), room)[taken]
        room -= np.bincount(owners, minlength=len(room))
    if surplus < 0 and is_single:
        empty = np.flatnonzero(room == 0)
        chosen = rng.permutation(empty)[:-surplus]
        room[chosen] += 1
        surplus += len(chosen)
    if surplus < 0:
        weights = room if room.any() else np.ones(len(room))
        more = rng.choice(len(room), -surplus, p=weights / weights.sum())
        room += np.bincount(more, minlength=len(room))
    return room


def telling_columns(parents: Sequence[Codes], others: Sequence[Codes]) -> list[int]:
    """Which of a parent's columns are worth wishing for, the most telling first.

    Args:
        parents: int64 (rows,) codes of each column of the row's parent; negative where missing.
        others: the same of the row's own columns and those of its first parent.
    """
    told = [max((_information(mine, other) for other in others), default=0.0) for mine in parents]
    order = np.argsort(-np.array(told), kind="stable")
    return [int(n) for n in order if told[int(n)] > _LEAST_INFORMATION][:_MOST_WISHES]


def _information(first: Codes, second: Codes) -> float:
    """Mutual information in nats, less what chance alone gives (Miller 1955)."""
    codes, shape = [], []
    for side in (first, second):
        levels, inverse = np.unique(side, return_inverse=True)
        codes.append(inverse)
        shape.append(len(levels))
    joint = np.zeros(shape)
    np.add.at(joint, tuple(codes), 1.0)
    joint /= max(len(first), 1)
    even = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    here = joint > 0
    chance = (shape[0] - 1) * (shape[1] - 1) / (2 * max(len(first), 1))
    return float((joint[here] * np.log(joint[here] / even[here])).sum() - chance)


def _ids(asked: Codes, offered: Codes) -> tuple[Codes, Codes]:
    """One number for each combination of codes, the same on both sides."""
    if not asked.shape[1]:
        return np.zeros(len(asked), dtype=np.int64), np.zeros(len(offered), dtype=np.int64)
    both = np.unique(np.concatenate([asked, offered]), axis=0, return_inverse=True)[1].ravel()
    return both[: len(asked)].astype(np.int64), both[len(asked) :].astype(np.int64)


def _pairs(asked: Codes, offered: Codes) -> tuple[Codes, Codes]:
    """Places of rows and slots of the same id, each used once."""
    keys = []
    for ids in (asked, offered):
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        starts = np.searchsorted(ordered, ordered, side="left")
        rank = np.empty(len(ids), dtype=np.int64)
        rank[order] = np.arange(len(ids)) - starts
        keys.append(ids * (max(len(asked), len(offered)) + 1) + rank)
    _, rows, places = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
    return rows.astype(np.int64), places.astype(np.int64)
