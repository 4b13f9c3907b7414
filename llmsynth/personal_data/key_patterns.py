"""Keys made up in the pattern of real ones: their length, signs and check digits, none of them."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence

from llmsynth.personal_data.check_digits import Check, shared_check
from llmsynth.personal_data.kinds import Kind, is_card, is_iban

_FEWEST_ALIKE = 10
"""Keys of one form from which the characters of each position are kept; fewer tell too much."""
_MOST_TRIES = 3_000
_CHECKED = 0.97
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class KeyPattern:
    """What a column's keys have in common, and new keys of that kind.

    Args:
        keys: the real keys, none of which is ever made.
    """

    def __init__(self, kind: Kind, keys: Sequence[str]) -> None:
        self.real = {key.strip().casefold() for key in keys}
        self._check = _check(kind, sorted(self.real)[:200])
        alike: dict[str, list[str]] = defaultdict(list)
        for key in keys:
            alike[_form(key)].append(key)
        self._positions = {
            form: ["".join(sorted(set(signs))) for signs in zip(*texts, strict=True)]
            for form, texts in alike.items()
            if len(texts) >= _FEWEST_ALIKE
        }

    def made(self, key: str, draw: random.Random, is_taken: Check) -> str:
        """Another key like this one, neither real nor taken (both folded).

        Where the pattern has no free key left, its characters are drawn from all digits and
        letters; where that has none either, the key grows by a digit.
        """
        narrow = self._positions.get(_form(key))
        is_checked = self._check is not None and self._check(key)
        for attempt in range(_MOST_TRIES):
            is_late = attempt > _MOST_TRIES // 2
            new = scrambled(key, draw) if narrow is None or is_late else _drawn(key, narrow, draw)
            if new.casefold() in self.real or is_taken(new.casefold()):
                continue
            if is_checked and self._check is not None and not self._check(new):
                continue
            return new
        new = key
        while new.casefold() in self.real or is_taken(new.casefold()):
            new = scrambled(f"{new}0", draw)
        return new


def _check(kind: Kind, keys: list[str]) -> Check | None:
    if not keys:
        return None
    own: dict[Kind, Check] = {"iban": is_iban, "credit card": is_card}
    if kind in own:
        return own[kind]
    if kind in ("national id", "id"):
        found = shared_check([key.upper() for key in keys], least=_CHECKED)
        return found[1] if found else None
    return None


def _form(text: str) -> str:
    """Digits, small and large letters as classes; every other sign as it is."""
    return re.sub(r"[^\W\d_]", lambda m: "a" if m[0].islower() else "A", re.sub(r"\d", "0", text))


def _drawn(key: str, positions: list[str], draw: random.Random) -> str:
    return "".join(
        draw.choice(signs) if char.isalnum() else char
        for char, signs in zip(key, positions, strict=True)
    )


def scrambled(text: str, draw: random.Random, *, letters: bool = True) -> str:
    """Letters for letters of the same script and digits for digits.

    What comes between stays, and so do a country's +49 and the DE of an IBAN.
    """
    prefix = re.match(r"\+\d{1,2}|[A-Z]{2}(?=\d{2}[ A-Z0-9]{11,})", text)
    start = prefix.end() if prefix else 0
    out = [text[:start]]
    for place, char in enumerate(text[start:], start=start):
        if char.isdecimal():
            is_first = place == 0 and char != "0" and len(text) > 1
            out.append(str(draw.randrange(1 if is_first else 0, 10)))
        elif letters and char.isalpha():
            out.append(_other_letter(char, draw))
        else:
            out.append(char)
    return "".join(out)


def _other_letter(char: str, draw: random.Random) -> str:
    if char.isascii():
        letter = draw.choice(_LETTERS)
        return letter.upper() if char.isupper() else letter
    start = ord(char) & ~0x1F
    near = [chr(code) for code in range(start, start + 0x20) if chr(code).isalpha()]
    fitting = [c for c in near if c.isupper() == char.isupper() and c.islower() == char.islower()]
    return draw.choice(fitting or near)
