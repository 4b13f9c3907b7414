"""Replacements that stay the same: one text of one kind always gets the same other text."""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Callable, Sequence

from llmsynth.personal_data import made_up
from llmsynth.personal_data.key_patterns import KeyPattern, scrambled
from llmsynth.personal_data.kinds import LOW_TITLES, Kind
from llmsynth.personal_data.name_lists import (
    LOCALES,
    NAME_WORD,
    Sex,
    fold,
    given_names,
    likely_locale,
    name_list,
    script,
    sex_of_given_name,
)
from llmsynth.personal_data.name_shapes import PARTICLES

_DOMAINS = ("example.com", "example.net", "example.org")
"""Reserved for examples by RFC 2606, so that no letter ever reaches anybody."""
_KEYS: frozenset[Kind] = frozenset(
    {"id", "national id", "iban", "credit card", "social security", "phone", "plate", "user name"}
)
_MOST_TRIES = 200
_SIGNS = ("Han", "Kana", "Hangul")


class Pseudonyms:
    """A memory of replacements; use one for all tables that belong together.

    Names are replaced word by word, so "Ann Lee", "Lee, Ann" and "Ms. Lee" stay one person; a
    given name becomes a given name of the same sex and script. Keys keep their pattern and check
    digits, different ones stay different, and none becomes a real one that was `met`.

    Args:
        seed: same seed and order of texts, same replacements; random when omitted, so that nobody
            can compute them anew.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._draw = random.Random(secrets.randbits(128) if seed is None else seed)
        self._given: dict[tuple[str, str], str] = {}
        self._taken: set[tuple[str, str]] = set()
        self._patterns: dict[Kind, list[KeyPattern]] = {}
        self._real: dict[str, set[str]] = {}
        self._locale: dict[str, str] = {}

    def meet(self, kind: Kind, texts: Sequence[str]) -> None:
        """See a column's real texts before any is replaced: their pattern, language and values."""
        if kind == "name":
            words = [w for text in texts[:2_000] for w in NAME_WORD.findall(text)]
            if words:
                self._locale[script(words[0])] = likely_locale(words)
        elif kind in _KEYS:
            self._patterns.setdefault(kind, []).append(KeyPattern(kind, texts))
        self._real.setdefault(kind, set()).update(text.strip().casefold() for text in texts)

    def of(self, kind: Kind, text: str, *, sex: Sex | None = None) -> str:
        """The replacement of a text.

        Args:
            sex: of the person, where a name's row tells it; else the name decides.
        """
        if kind == "name":
            if is_of_signs(text):
                return self._signs(text, sex)
            # "Don" is a title before a name, and a name where nothing else is.
            lone = all(_is_no_name(word) for word in NAME_WORD.findall(text))
            return NAME_WORD.sub(lambda m: self.word(m.group(), sex=sex, lone=lone), text)
        key = text.strip().lower() if kind == "email" else text
        return self._once(kind, key, lambda: self._made(kind, key))

    def word(self, word: str, *, sex: Sex | None = None, lone: bool = False) -> str:
        """The replacement of one word of a name; initials become initials, titles stay."""
        low = fold(word)
        if _is_no_name(word) and not lone:
            return word
        if len(word) == 1 and script(word) not in _SIGNS:
            letters = "ABCDEFGHJKLMNPRSTW"
            new = self._once("initial", low, lambda: self._draw.choice(letters))
            return new.lower() if word.islower() else new
        if ("name", low) in self._given and self._fits("name", low, sex):
            return _cased(self._given["name", low], word)
        is_given = low in given_names()
        known = sex or (sex_of_given_name(word) if is_given else None)
        kind = f"name {known}" if is_given and known else "name"
        new = self._once(kind, low, lambda: self._name(word, known, is_given=is_given))
        self._given.setdefault(("name", low), new)
        return _cased(new, word)

    def _fits(self, kind: str, low: str, sex: Sex | None) -> bool:
        """Whether the replacement that a name has already goes with the row's sex."""
        own = sex_of_given_name(self._given[kind, low])
        return sex is None or own is None or own == sex or low not in given_names()

    def known(self, word: str) -> bool:
        """Whether a word of a name was replaced before."""
        return ("name", fold(word)) in self._given

    def _signs(self, text: str, sex: Sex | None) -> str:
        """A whole Chinese, Japanese or Korean name, whose parts have no blank between them."""
        locale = self._locale.get(script(text)) or likely_locale([text])
        names = name_list(locale)
        blank = " " if " " in text else "　" if "　" in text else ""
        given = names.given[sex] if sex and names.given[sex] else sum(names.given.values(), ())
        alone = len(NAME_WORD.findall(text)) == 1 and len(text) == 1

        def make() -> str:
            family = self._draw.choice(names.family[None])
            return family if alone else f"{family}{blank}{self._draw.choice(given)}"

        return self._once("signs", text, make)

    def _once(self, kind: str, key: str, make: Callable[[], str]) -> str:
        if (kind, key) not in self._given:
            real, new = self._real.get(kind, ()), make()
            for attempt in range(_MOST_TRIES):
                low = new.casefold()
                is_free = kind == "initial" or (
                    (kind, low) not in self._taken and (low not in real or attempt > 150)
                )
                if fold(new) != fold(key) and is_free:
                    break
                new = make()
            if fold(new) == fold(key):
                new = scrambled(key, self._draw)
            self._given[kind, key] = new
            self._taken.add((kind, new.casefold()))
        return self._given[kind, key]

    def _name(self, word: str, sex: Sex | None, *, is_given: bool) -> str:
        own = script(word)
        locale = self._locale.get(own) or LOCALES.get(own, ("en_US",))[0]
        names = name_list(locale)
        if own and script("".join(names.family[None])[:1]) != own:
            return scrambled(word, self._draw)
        by_sex = names.given if is_given else names.family
        pool = by_sex[sex] if sex and by_sex[sex] else by_sex[None] or by_sex["f"] + by_sex["m"]
        single = [text for text in pool if " " not in text] or pool
        kind = f"name {sex}" if is_given and sex else "name"
        new = self._draw.choice(single)
        if (kind, new.casefold()) in self._taken and self._draw.random() < _MIXED:
            # Long lists of people use up the names: the head of one and the tail of another.
            other = self._draw.choice(single)
            new = new[: max(2, len(new) // 2)] + other[len(other) // 2 :].lower()
        return new

    def _made(self, kind: Kind, text: str) -> str:
        makers: dict[Kind, Callable[[str, random.Random], str]] = {
            "address": made_up.address,
            "ip": made_up.network_address,
            "mac": made_up.hardware_address,
            "birth date": made_up.other_day,
            "url": made_up.web_address,
        }
        if kind == "email":
            return self._email(text)
        if kind in makers:
            return makers[kind](text, self._draw)
        for pattern in reversed(self._patterns.get(kind, [])):
            if text.strip().casefold() in pattern.real:
                return pattern.made(text, self._draw, lambda new: (kind, new) in self._taken)
        return scrambled(text, self._draw, letters=kind != "phone")

    def _email(self, text: str) -> str:
        local = text.partition("@")[0]
        new = NAME_WORD.sub(lambda m: self._local(m.group()), local)
        new = re.sub(r"\d", lambda _: str(self._draw.randrange(10)), new)
        plain = fold(new).replace(" ", "")
        new = plain if plain.isascii() else scrambled("name", self._draw)
        made = f"{new}@{self._domain(text)}"
        is_free = ("email", made) not in self._taken and made not in self._real.get("email", ())
        return made if is_free else f"{new}{self._draw.randrange(1000)}@{self._domain(text)}"

    def _local(self, word: str) -> str:
        if self.known(word) or fold(word) in given_names():
            return self.word(word).lower()
        return scrambled(word, self._draw)

    def _domain(self, text: str) -> str:
        domain = text.partition("@")[2]
        return _DOMAINS[sum(domain.encode()) % len(_DOMAINS)]


_MIXED = 0.5


def _is_no_name(word: str) -> bool:
    return fold(word) in LOW_TITLES or fold(word) in PARTICLES


def _cased(new: str, word: str) -> str:
    """In the case of the word it stands for."""
    if len(word) > 1 and script(new) in ("Latin", "Cyrillic", "Greek"):
        return new.upper() if word.isupper() else new.lower() if word.islower() else new
    return new


def is_of_signs(text: str) -> bool:
    """Whether a name is Chinese, Japanese or Korean: its parts may have no blank between them."""
    return script(text) in _SIGNS
