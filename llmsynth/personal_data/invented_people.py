"""The form of names, e-mail addresses and streets without the people, and people made up for it.

"Braund, Mr. Owen Harris" becomes a family name's mark, ", Mr. " and a man's given name's mark,
twice. A model learns such forms under the row's other cells; whom it is about is made up for every
new row, the same person in all of its columns. Marks are private characters, which no table uses.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache, cached_property
from itertools import accumulate
from typing import Literal

from llmsynth.personal_data.kinds import LOW_TITLES
from llmsynth.personal_data.name_lists import fold, given_names, sex_of_given_name

Invented = Literal["name", "email", "address"]
INVENTED: tuple[Invented, ...] = ("name", "email", "address")
"""Kinds of personal data whose cells can be made up anew."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")
_FIRST_MARK = 0xF0100
_CASES = 3
_PARTS = ("woman", "man", "given", "family", "initial", "email", "address")
_MARK = re.compile(f"[{chr(_FIRST_MARK)}-{chr(_FIRST_MARK + _CASES * len(_PARTS) - 1)}]")
_LONGEST_PARTICLE = 3
_WOMENS_TITLES = ("mrs", "miss", "ms", "mme", "mlle", "lady")
_TITLE = re.compile(rf"\b(mr|master|sir|{'|'.join(_WOMENS_TITLES)})\b", re.IGNORECASE)
_STREETS = ("Street", "Avenue", "Road", "Lane", "Drive")
_INITIALS = "ABCDEFGHJKLMNPRSTW"


def form_of(kind: Invented, text: str) -> str:
    """The text with a mark for each part that tells who it is.

    Titles, abbreviations ("Rev.", "Jr.") and particles ("van") are no such parts.
    """
    if kind != "name":
        return _mark(kind, 0)
    before, comma, after = text.partition(",")
    if comma and after.strip():
        family = _WORD.sub(lambda found: _word_form(found.group(), "family"), before)
        return family + comma + _WORD.sub(lambda found: _word_form(found.group()), after)
    return _WORD.sub(lambda found: _word_form(found.group()), text)


def _word_form(word: str, part: str = "") -> str:
    bare, dot = word.rstrip("."), "." if word.endswith(".") else ""
    low = bare.lower()
    is_particle = bare.islower() and len(bare) <= _LONGEST_PARTICLE
    if low in LOW_TITLES or is_particle or (dot and len(bare) > 1):
        return word
    case = 1 if bare.isupper() and len(bare) > 1 else 2 if bare.islower() else 0
    part = "initial" if len(bare) == 1 else part or _part_of(low)
    return _mark(part, case) + dot


def _part_of(low: str) -> str:
    # Of eighty locales, one or another gives "Smith" as a first name: the largest list decides.
    if low in _names_of("last_names") - _names_of("first_names"):
        return "family"
    sex = sex_of_given_name(low)
    if sex is not None:
        return "woman" if sex == "f" else "man"
    return "given" if fold(low) in given_names() else "family"


def _mark(part: str, case: int) -> str:
    return chr(_FIRST_MARK + _PARTS.index(part) * _CASES + case)


class InventedPerson:
    """Who one row is about: the first mark of a kind is the same name in all of its columns.

    Args:
        seed: of the whole table.
        row: the row's number.
    """

    def __init__(self, seed: int, row: int) -> None:
        self._draw = random.Random(f"{seed}:person:{row}")
        self._is_woman = self._draw.random() < 0.5
        self._names: dict[str, list[str]] = {}

    def text(self, form: str) -> str:
        """The form with names in place of its marks."""
        counts: dict[str, int] = {}
        if told := _TITLE.search(form):
            self._is_woman = told.group(1).lower() in _WOMENS_TITLES

        def filled(found: re.Match[str]) -> str:
            part, case = divmod(ord(found.group()) - _FIRST_MARK, _CASES)
            name = self._part(_PARTS[part], counts)
            return name.upper() if case == 1 else name.lower() if case == 2 else name

        return _MARK.sub(filled, form)

    def _part(self, part: str, counts: dict[str, int]) -> str:
        if part == "email":
            return self._email
        if part == "address":
            return self._address
        if part == "initial":
            return self._draw.choice(_INITIALS)
        # A second given name is another one, whether or not its form tells the sex.
        group = "family" if part == "family" else "first"
        place = counts[group] = counts.get(group, 0) + 1
        if part == "given":
            part = "woman" if self._is_woman else "man"
        return self._name(part, place - 1)

    def _name(self, part: str, place: int) -> str:
        attribute = {
            "woman": "first_names_female",
            "man": "first_names_male",
            "family": "last_names",
        }[part]
        known = self._names.setdefault(part, [])
        while len(known) <= place:
            # Of its own stream, so that a name does not depend on which column asks first.
            draw = random.Random(f"{self._key}:{part}:{len(known)}")
            known.append(_drawn(attribute, draw))
        return known[place]

    @cached_property
    def _key(self) -> int:
        return self._draw.randrange(1 << 62)

    @cached_property
    def _email(self) -> str:
        given = self._name("woman" if self._is_woman else "man", 0)
        local = f"{given}.{self._name('family', 0)}".lower()
        return f"{local}{self._draw.randrange(100)}@example.com"

    @cached_property
    def _address(self) -> str:
        street = _drawn("last_names", self._draw)
        return f"{self._draw.randrange(1, 2000)} {street} {self._draw.choice(_STREETS)}"


def _drawn(attribute: str, draw: random.Random) -> str:
    names, cumulative = _weighted(attribute)
    return draw.choices(names, cum_weights=cumulative)[0]


@cache
def _names_of(attribute: str) -> frozenset[str]:
    return frozenset(name.lower() for name in _weighted(attribute)[0])


@cache
def _weighted(attribute: str) -> tuple[Sequence[str], Sequence[float]]:
    """Names of faker's list for the United States, and their summed shares."""
    from faker.providers.person.en_US import Provider

    found = getattr(Provider, attribute)
    return tuple(map(str, found)), tuple(accumulate(map(float, found.values())))
