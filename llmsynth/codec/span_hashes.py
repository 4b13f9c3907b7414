"""Which spans of tokens stand in the training texts, known by their hashes alone.

A hash says that a span was there to whoever has the span already; the texts cannot be read from
them. Spans that many rows share are nobody's and are not kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from llmsynth.errors import BundleError, SettingsError

Hashes = npt.NDArray[np.uint64]

_FORMAT = "llmsynth-span-hashes-1"
_GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, kw_only=True, eq=False)
class SpanHashes:
    """The hashes of every span of a length that fewer than some number of texts hold.

    A span's hash is a polynomial of its mixed tokens modulo 2**64 with a random odd base, finished
    as in SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).

    Attributes:
        length: tokens of a span.
        key: the random base; another one gives other hashes.
        hashes: uint64, ascending, distinct.
    """

    length: int
    key: int
    hashes: Hashes

    @classmethod
    def of(
        cls,
        texts: Iterable[Sequence[int]],
        *,
        length: int,
        common_rows: int,
        piece: int | None = None,
        key: int | None = None,
    ) -> SpanHashes:
        """Hash every span of `length` tokens.

        Args:
            texts: one token sequence per row.
            common_rows: spans that at least so many rows hold are left out.
            piece: leave spans out, too, of which at least so many rows hold every run of `piece`
                tokens: a sentence that is put together from a table's usual phrases is nobody's.

        Raises:
            SettingsError: spans of fewer than two tokens.
        """
        if length < 2:
            raise SettingsError(f"A span must have at least 2 tokens, got {length}.")
        known = list(texts)
        key = (secrets.randbits(64) if key is None else key) | 1
        empty = cls(length=length, key=key, hashes=_none())
        rare = empty._rare(known, common_rows)
        if piece is None or piece >= length:
            return rare
        rare_pieces = cls(length=piece, key=key, hashes=_none())._rare(known, common_rows)
        told = [empty.spans(text)[rare_pieces._within(text, length)] for text in known]
        own = np.unique(np.concatenate([_none(), *told]))
        return cls(length=length, key=key, hashes=rare.hashes[np.isin(rare.hashes, own)])

    def spans(self, tokens: Sequence[int]) -> Hashes:
        """The hashes of all spans of a text, in order: uint64 (tokens - length + 1,), or none."""
        if len(tokens) < self.length:
            return _none()
        windows = np.lib.stride_tricks.sliding_window_view(self._mixed(tokens), self.length)
        with np.errstate(over="ignore"):
            return _finished((windows * self._powers()).sum(axis=1, dtype=np.uint64))

    def known(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Which of the hashes are among the kept ones."""
        if not len(self.hashes):
            return np.zeros(len(hashes), dtype=np.bool_)
        places = np.searchsorted(self.hashes, hashes)
        found: npt.NDArray[np.bool_] = (
            self.hashes[np.minimum(places, len(self.hashes) - 1)] == hashes
        )
        return found

    def completed(
        self, before: Sequence[int], candidates: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.bool_]:
        """Which candidates would complete a kept span after the last `length - 1` tokens."""
        if len(before) < self.length - 1:
            return np.zeros(len(candidates), dtype=np.bool_)
        tail = self._mixed(before[len(before) - self.length + 1 :])
        with np.errstate(over="ignore"):
            start = (tail * self._powers()[:-1]).sum(dtype=np.uint64)
            return self.known(_finished(start + self._mixed(candidates)))

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        facts = {"format": _FORMAT, "length": str(self.length), "key": str(self.key)}
        save_file({"hashes": self.hashes}, path, metadata=facts)

    @classmethod
    def load(cls, path: Path) -> SpanHashes:
        """Read what `save` wrote.

        Raises:
            BundleError: no such file, or not one of these.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                facts = file.metadata() or {}
                hashes = file.get_tensor("hashes")
            if facts["format"] != _FORMAT:
                raise KeyError(facts["format"])
            return cls(length=int(facts["length"]), key=int(facts["key"]), hashes=hashes)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise BundleError(f"Expected span hashes at {path}: {error}.") from error

    def _rare(self, texts: Sequence[Sequence[int]], common_rows: int) -> SpanHashes:
        """Those of the texts' spans that fewer than `common_rows` texts hold."""
        parts = [np.unique(self.spans(text)) for text in texts]
        found, counts = np.unique(np.concatenate([_none(), *parts]), return_counts=True)
        return SpanHashes(length=self.length, key=self.key, hashes=found[counts < common_rows])

    def _within(self, text: Sequence[int], width: int) -> npt.NDArray[np.bool_]:
        """Whether each `width` tokens of a text hold a kept span."""
        counts = np.append(0, np.cumsum(self.known(self.spans(text))))
        reach = width - self.length + 1
        found: npt.NDArray[np.bool_] = counts[reach:] > counts[:-reach]
        return found

    def _mixed(self, tokens: Sequence[int] | npt.NDArray[np.integer]) -> Hashes:
        with np.errstate(over="ignore"):
            return _finished(np.asarray(tokens, dtype=np.uint64) + np.uint64(self.key))

    def _powers(self) -> Hashes:
        """Descending powers of the key, the last of them 1."""
        with np.errstate(over="ignore"):
            base = np.full(self.length - 1, self.key, dtype=np.uint64)
            return np.append(np.cumprod(base, dtype=np.uint64)[::-1], np.uint64(1))


def _none() -> Hashes:
    return np.zeros(0, dtype=np.uint64)


def _finished(word: Hashes) -> Hashes:
    with np.errstate(over="ignore"):
        word = np.asarray(word + _GOLDEN_GAMMA)
        word = (word ^ (word >> np.uint64(30))) * _FIRST
        word = (word ^ (word >> np.uint64(27))) * _SECOND
        mixed: Hashes = word ^ (word >> np.uint64(31))
        return mixed
