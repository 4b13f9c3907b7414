"""How a whole cell looks when it holds a person's name, whatever its case, script and order."""

from __future__ import annotations

import re
from typing import Literal

from llmsynth.personal_data.common_words import COMMON_WORDS
from llmsynth.personal_data.kinds import LOW_TITLES
from llmsynth.personal_data.name_lists import (
    NAME_WORD,
    family_names,
    fold,
    given_names,
    script,
)

Look = Literal["full", "part", "shape", ""]

_BETWEEN = re.compile(r"[\s,.;&()\"'“”·・*/-]|\b(?:and|und|et|y|e|en|und|och|ve|и|та|και|و)\b")
PARTICLES = frozenset(
    "von van der den de del della di da do dos das la le el al bin ibn ben abu abd zu zur ter ten "
    "y e af av mc mac st san the jr sr ii iii iv jnr snr phd md esq née nee geb".split()
)
_MOST_WORDS = 9
_MOST_SYLLABLES = 6


def name_look(text: str) -> Look:
    """What a cell looks like.

    `full` is a given and a family name, or a title before a word; `part` holds one known name;
    `shape` could be a name that no list has; empty is anything else.
    """
    words = [found.group() for found in NAME_WORD.finditer(text)]
    if not words or _BETWEEN.sub("", NAME_WORD.sub("", text)):
        return ""
    own = [word for word in words if fold(word) not in LOW_TITLES]
    is_titled = len(own) < len(words) and fold(words[-1]) not in LOW_TITLES
    names = [word for word in own if fold(word) not in PARTICLES]
    if not names or len(words) > _MOST_WORDS or not (is_titled or _is_cased(names, text)):
        return ""
    if script(names[0]) in ("Han", "Kana", "Hangul"):
        return _of_syllables("".join(names))
    if is_titled:
        return "full"
    return _of_words(names)


def _of_words(names: list[str]) -> Look:
    """Of words with blanks between: Latin, Cyrillic, Arabic and others."""
    given, family = given_names(), family_names()
    # "Green" is a name and a colour; a cell that holds nothing else says nothing.
    low = [fold(part) for word in names for part in (word, *word.split("-"))]
    known = [w for w in low if w not in COMMON_WORDS and len(w) > 1]
    has_given = any(w in given for w in known)
    has_family = any(w in family for w in low)
    if len(names) >= 2 and has_given and has_family and len(names) <= _MOST_SYLLABLES:
        return "full"
    if has_given or any(w in family for w in known):
        return "part"
    return "shape"


def _is_cased(names: list[str], text: str) -> bool:
    """Every word begins large, or the whole cell has one case, or its script has none."""
    if text.islower() or text.isupper():
        return True
    return all(not word[0].islower() for word in names)


def _of_syllables(joined: str) -> Look:
    """Chinese, Japanese and Korean names: the family's one or two signs, then the given name's."""
    if not 2 <= len(joined) <= _MOST_SYLLABLES:
        return "shape" if len(joined) == 1 else ""
    given, family = given_names(), family_names()
    for size in (1, 2, 3):
        rest = joined[size:]
        if joined[:size] in family and rest:
            if rest in given or all(sign in given for sign in rest):
                return "full"
            return "part"
    return "part" if joined in given or joined in family else "shape"
