"""Compiles the vocabulary that a column's open texts are spelled with.

A whole text that enough rows share is one unit. The others are spelled with the column's own
characters and frequent runs of them (byte-pair merges; Gage 1994), as far as enough rows hold
each: nothing that few people hold becomes a token.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Split
from tokenizers.trainers import BpeTrainer

from llmsynth.codec.text_segmentation import UNSPELLABLE, TextSegmentation
from llmsynth.schema.columns import TextColumn

_MOST_COMMON = 2000
_MOST_PIECES = 1000
_LEAST_HOLDERS = 5
"""Of a whole text that becomes a unit, also where rare values are learned."""
_TRACKED_LENGTH = 160
"""Up to here no text comes out longer than the longest that was learned."""
_WORDS = Regex(r" ?\p{L}+| ?\p{N}|[^\p{L}\p{N}]")
"""What no piece reaches over: a word with its blank, a digit, a sign."""


@dataclass(frozen=True, kw_only=True)
class SpelledTexts:
    """A column's texts as the compact model can spell them, and what was changed for it.

    Attributes:
        column: the column with its vocabulary.
        cells: the texts, respelled and cut where needed, in the column's storage type.
        left_out: bool (rows,), cells that lack too many characters; they are not learned.
        missing_cells: cells without a text from the start.
        common_cells: cells that are one unit.
        respelled_cells: cells that lost a character which too few hold (or its accent).
        cut_cells: cells that were longer than the slots, cut at a word's end.
        rare: different texts, as they were and as they are learned, that too few rows hold.
        coincidence: share of the spelled cells whose text another row has as well: how often an
            unseen row's text would be one of `rare`.
    """

    column: TextColumn
    cells: pa.Array
    left_out: npt.NDArray[np.bool_]
    missing_cells: int
    common_cells: int
    respelled_cells: int
    cut_cells: int
    rare: frozenset[str]
    coincidence: float


def spelled_texts(
    column: TextColumn,
    cells: pa.Array,
    *,
    floor: int,
    most_pieces: int,
    entities: npt.NDArray[np.int64] | None = None,
) -> SpelledTexts:
    """Choose a vocabulary for a text column and bring its cells into it.

    Args:
        cells: the column's texts, as strings.
        floor: rows that must hold a character or a piece for it to become a token.
        most_pieces: slots a text may take.
        entities: int64 (rows,), whose row each is: then these are counted instead of rows.
    """
    coded = cells.cast(pa.string()).dictionary_encode()
    texts: list[str] = coded.dictionary.to_pylist()
    present = np.asarray(coded.indices.is_valid())
    index = np.asarray(coded.indices.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    holders = _Holders(index[present], None if entities is None else entities[present], len(texts))
    common = _common(texts, holders, max(floor, _LEAST_HOLDERS))
    is_open = np.ones(len(texts), dtype=np.bool_)
    is_open[common] = False
    known = holders.known_characters(texts, floor)
    respelled = [_respelled(text, known) if is_open[at] else text for at, text in enumerate(texts)]
    weights = holders.rows
    pieces = _pieces(respelled, is_open, weights, holders, known, floor)
    cut = _cut(respelled, is_open, weights, pieces, floor, most_pieces)
    lengths = [len(text) for at, text in enumerate(cut.texts) if is_open[at]]
    longest = max([1, *lengths, *(len(texts[at]) for at in common)])
    if longest > _TRACKED_LENGTH:
        longest = max(longest, cut.slots * max(map(len, pieces)))
    new = np.array([*cut.texts, None], dtype=object)
    empty = np.array([is_open[at] and not text for at, text in enumerate(cut.texts)], dtype=bool)
    left_out = present & empty[index] if len(texts) else np.zeros(len(index), dtype=np.bool_)
    gone = ~present | left_out
    out = pa.array(new[np.where(gone, len(texts), index)].tolist(), pa.string())
    counted = np.where(present, index, len(texts))

    def cells_where(flags: Sequence[bool]) -> int:
        return int(np.array([*flags, False])[counted].sum())

    rare = {t for at in np.flatnonzero(is_open).tolist() for t in (texts[at], cut.texts[at]) if t}
    return SpelledTexts(
        column=replace(
            column,
            nullable=column.nullable or bool(left_out.any()),
            maximum_length=longest,
            common=tuple(texts[at] for at in common),
            pieces=tuple(pieces),
            maximum_pieces=cut.slots,
        ),
        cells=out,
        left_out=left_out,
        missing_cells=int((~present).sum()),
        common_cells=cells_where([not flag for flag in is_open]),
        respelled_cells=cells_where(
            [old != new for old, new in zip(texts, respelled, strict=True)]
        ),
        cut_cells=cells_where(cut.is_cut),
        rare=frozenset(rare),
        coincidence=holders.coincidence(is_open),
    )


class _Holders:
    """Who holds each distinct text: rows, or the entities that rows belong to."""

    def __init__(
        self, index: npt.NDArray[np.int64], owners: npt.NDArray[np.int64] | None, count: int
    ) -> None:
        self._index = index
        self._owners = np.arange(len(index)) if owners is None else owners
        self.rows = np.bincount(index, minlength=count)
        pairs = np.unique(np.stack([index, self._owners]), axis=1) if len(index) else None
        self._pairs = pairs
        held = pairs[0] if pairs is not None else index
        self.holders = np.bincount(held, minlength=count)

    def of_parts(self, parts: Sequence[Sequence[int]], count: int) -> npt.NDArray[np.int64]:
        """Holders of parts of texts; int64 (count,).

        Args:
            parts: of every distinct text, the parts that it has.
        """
        if self._pairs is None:
            return np.zeros(count, dtype=np.int64)
        sizes = np.array([len(own) for own in parts])
        flat = np.array([part for own in parts for part in own], dtype=np.int64)
        starts = np.cumsum(sizes) - sizes
        texts, owners = self._pairs
        each = sizes[texts]
        offset = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
        held = flat[np.repeat(starts[texts], each) + offset]
        by = np.repeat(np.unique(owners, return_inverse=True)[1], each)
        keys = np.unique(held * (int(by.max(initial=0)) + 1) + by)
        return np.bincount(keys // (int(by.max(initial=0)) + 1), minlength=count)

    def known_characters(self, texts: Sequence[str], floor: int) -> frozenset[str]:
        """Characters that enough hold."""
        letters = sorted(set().union(*map(set, texts))) if texts else []
        number = {letter: at for at, letter in enumerate(letters)}
        held = self.of_parts([[number[c] for c in set(text)] for text in texts], len(letters))
        return frozenset(c for c, count in zip(letters, held, strict=True) if count >= floor)

    def coincidence(self, is_open: npt.NDArray[np.bool_]) -> float:
        """Share of cells with an open text that somebody else has, too."""
        cells = self.rows[is_open].sum()
        shared = self.rows[is_open & (self.holders > 1)].sum()
        return float(shared / cells) if cells else 0.0


def _common(texts: Sequence[str], holders: _Holders, floor: int) -> list[int]:
    """Distinct texts that are units, the most frequent ones, in order of text.

    An empty text is one wherever it occurs: it has nothing to spell, and tells of nobody.
    """
    order = np.argsort(-holders.rows, kind="stable")[:_MOST_COMMON]
    chosen = {int(at) for at in order if holders.holders[at] >= floor}
    chosen |= {at for at, text in enumerate(texts) if not text}
    return sorted(chosen, key=lambda at: texts[at])


def _respelled(text: str, known: frozenset[str]) -> str:
    """The text in known characters: accents and ligatures taken apart, what remains left out.

    Empty where that would cost more than a tenth of it: half a code is none.
    """
    if known.issuperset(text):
        return text
    plain = "".join(
        c if c in known else "".join(filter(known.__contains__, unicodedata.normalize("NFKD", c)))
        for c in text
    )
    if len(text) - len(plain) > len(text) // 10 or not plain.strip():
        return ""
    return " ".join(plain.split())


def _pieces(
    texts: Sequence[str],
    is_open: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.int64],
    holders: _Holders,
    known: frozenset[str],
    floor: int,
) -> list[str]:
    """Characters, and merges of them that enough hold."""
    used = [texts[at] for at in np.flatnonzero(is_open).tolist() if texts[at]]
    letters = sorted(set().union(*map(set, used))) if used else []
    if not letters:
        # Without a text to spell one piece stands for the slot, and is never written.
        return sorted(known)[:1] or [" "]
    merges = _merges(texts, is_open, weights, letters, floor)
    while merges:
        pieces = [*letters, *merges]
        spelled = TextSegmentation(pieces).pieces_of(texts)
        parts = [
            sorted({piece for piece in own if piece != UNSPELLABLE}) if is_open[at] else []
            for at, own in enumerate(spelled)
        ]
        held = holders.of_parts(parts, len(pieces))
        kept = [piece for piece, count in zip(pieces, held, strict=True) if count >= floor]
        fewer = [piece for piece in merges if piece in set(kept)]
        if len(fewer) == len(merges):
            break
        merges = fewer
    return [*letters, *merges]


def _merges(
    texts: Sequence[str],
    is_open: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.int64],
    letters: Sequence[str],
    floor: int,
) -> list[str]:
    """Runs of characters worth a piece, as many as the texts can teach."""
    count = int(weights[is_open].sum())
    size = min(_MOST_PIECES, len(letters) + int(4 * math.sqrt(count)))
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Split(_WORDS, behavior="isolated")
    trainer = BpeTrainer(
        vocab_size=size,
        min_frequency=max(floor, _LEAST_HOLDERS),
        initial_alphabet=list(letters),
        limit_alphabet=len(letters),
        show_progress=False,
        max_token_length=24,
    )

    def occurrences() -> Iterator[str]:
        for at in np.flatnonzero(is_open).tolist():
            for _ in range(int(weights[at])):
                yield texts[at]

    tokenizer.train_from_iterator(occurrences(), trainer)
    known = set(letters)
    return sorted(
        piece for piece in tokenizer.get_vocab() if len(piece) > 1 and known.issuperset(piece)
    )


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """Texts within their slots, and which were longer."""

    texts: list[str]
    slots: int
    is_cut: list[bool]


def _cut(
    texts: Sequence[str],
    is_open: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.int64],
    pieces: Sequence[str],
    floor: int,
    most: int,
) -> _Cut:
    """Bring texts down to as many slots as `floor` cells need, and at most `most`."""
    spelled = TextSegmentation(pieces).pieces_of(texts)
    sizes = np.array([len(own) if is_open[at] else 0 for at, own in enumerate(spelled)])
    needed: Counter[int] = Counter()
    for size, weight in zip(sizes.tolist(), weights.tolist(), strict=True):
        needed[size] += weight
    slots, reached = 1, 0
    for size in sorted(needed, reverse=True):
        reached += needed[size]
        if reached >= floor:
            slots = size
            break
    slots = min(max(slots, 1), most)
    out, is_cut = list(texts), [False] * len(texts)
    for at in np.flatnonzero(sizes > slots).tolist():
        out[at] = _shortened([pieces[piece] for piece in spelled[at]], slots)
        is_cut[at] = True
    return _Cut(texts=out, slots=slots, is_cut=is_cut)


def _shortened(pieces: Sequence[str], slots: int) -> str:
    """The first pieces, ended before the last blank unless that leaves less than half."""
    text = "".join(pieces[:slots])
    if pieces[slots].startswith(" "):
        return text
    ended = text.rpartition(" ")[0].rstrip()
    return ended if 2 * len(ended) >= len(text) else text
