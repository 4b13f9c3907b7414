"""Keeps what the model spells from replaying texts that few training rows hold.

Unseen rows share some texts with the learned ones by coincidence: codes from a small range do,
names of works hardly ever. A guard that let none through would mark the learned codes by their
absence, so drawn copies are let through as often as the coincidence explains, and drawn again
beyond that. It knows keyed hashes only and is kept beside the bundle, never in it: whoever has the
bundle alone cannot ask it whether a text was learned.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmsynth.errors import BundleError

_FILE = "text_guard.json"
_FORMAT = "llmsynth-text-guard-1"
_DIGEST_BYTES = 10


@dataclass(frozen=True, kw_only=True)
class TextGuard:
    """Keyed hashes of rare training texts, by column.

    Attributes:
        key: of the hashes, random.
        hashes: column to the hashes of its texts.
        accepted: column to the share of drawn copies that are let through.
    """

    key: bytes
    hashes: Mapping[str, frozenset[bytes]]
    accepted: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Mapping[str, Collection[str]]) -> TextGuard:
        """A guard of each column's rare texts, under a key of its own."""
        key = secrets.token_bytes(32)
        hashes = {n: frozenset(_hashed(key, text) for text in own) for n, own in texts.items()}
        return cls(key=key, hashes=hashes)

    def knows(self, column: str, texts: Sequence[object]) -> npt.NDArray[np.bool_]:
        """Which texts are rare training texts of the column, whatever their case."""
        known = self.hashes.get(column, frozenset())
        return np.array(
            [isinstance(text, str) and _hashed(self.key, text) in known for text in texts],
            dtype=np.bool_,
        )

    def allowing(self, rates: Mapping[str, CopyRate]) -> TextGuard:
        """The guard, letting through what coincidence explains of the copies that are drawn."""
        accepted = {name: rate.accepted for name, rate in rates.items()}
        return TextGuard(key=self.key, hashes=self.hashes, accepted=accepted)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of which something may have to be drawn again."""
        return tuple(name for name in self.hashes if self.accepted.get(name, 0.0) < 1.0)

    def save(self, folder: Path) -> None:
        """Write the guard into its owner's folder, for nobody else to read.

        Raises:
            BundleError: it cannot be written.
        """
        data = {
            "format": _FORMAT,
            "key": self.key.hex(),
            "accepted": dict(self.accepted),
            "hashes": {n: sorted(h.hex() for h in own) for n, own in self.hashes.items()},
        }
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / _FILE
            path.touch(mode=0o600)
            path.write_text(json.dumps(data) + "\n", encoding="utf-8")
        except OSError as error:
            raise BundleError(f"{folder} cannot be written: {error}.") from error

    @classmethod
    def load(cls, folder: Path) -> TextGuard | None:
        """The guard of a folder; None where there is none.

        Raises:
            BundleError: the file is broken.
        """
        path = folder / _FILE
        if not path.exists():
            return None
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != _FORMAT:
                raise ValueError(f"format {data['format']!r}")
            return cls(
                key=bytes.fromhex(data["key"]),
                hashes={
                    name: frozenset(map(bytes.fromhex, own)) for name, own in data["hashes"].items()
                },
                accepted={name: float(share) for name, share in data["accepted"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(
                f"{path} is no text guard: {error}.",
                hint="Delete it to draw without one; rare training texts may then come out.",
            ) from error


@dataclass(frozen=True, kw_only=True)
class CopyRate:
    """How often a drawn text equals a rare training text, and how often an unseen one would.

    drawn, coincidence: shares of the cells that are spelled (no common text).
    """

    drawn: float
    coincidence: float

    @property
    def accepted(self) -> float:
        """The share of drawn copies to let through for the rest to have `coincidence` of them.

        With copies at rate p of which a share `a` is kept and the others are drawn again, a p of
        a p + (1 - p) are copies in the end.
        """
        p, q = self.drawn, self.coincidence
        if p <= q:
            return 1.0
        return q * (1 - p) / (p * (1 - q))


def _hashed(key: bytes, text: str) -> bytes:
    plain = " ".join(text.casefold().split())
    return hashlib.blake2b(plain.encode(), key=key, digest_size=_DIGEST_BYTES).digest()
