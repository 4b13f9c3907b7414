"""Replacements that stay the same: one text of one kind always gets the same other text."""

from __future__ import annotations

import random
import re
import secrets
from functools import cached_property
from typing import TYPE_CHECKING

from llmsynth.personal_data.kinds import LOW_TITLES, Kind
from llmsynth.personal_data.name_lists import fold, given_names

if TYPE_CHECKING:
    from faker import Faker

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_DOMAINS = ("example.com", "example.net", "example.org")
"""Reserved for examples by RFC 2606, so that no letter ever reaches anybody."""
_MOST_TRIES = 200


class Pseudonyms:
    """A memory of replacements; use one for all tables that belong together.

    Names are replaced word by word, so "Ann Lee", "Lee, Ann" and "Ms. Lee" stay one person; a
    given name becomes a given name. Different ids, phone numbers and addresses stay different.

    Args:
        seed: same seed and order of texts, same replacements; random when omitted, so that nobody
            can compute them anew.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._draw = random.Random(secrets.randbits(128) if seed is None else seed)
        self._given: dict[tuple[str, str], str] = {}
        self._taken: set[tuple[str, str]] = set()

    @cached_property
    def _faker(self) -> Faker:
        from faker import Faker

        faker = Faker("en_US")
        faker.seed_instance(self._draw.randrange(1 << 62))
        return faker

    def of(self, kind: Kind, text: str) -> str:
        """The replacement of a text."""
        if kind == "name":
            return _WORD.sub(lambda found: self.word(found.group()), text)
        key = text.strip().lower() if kind == "email" else text
        return self._once(kind, key, lambda: self._made(kind, key))

    def word(self, word: str) -> str:
        """The replacement of one word of a name; initials become initials, titles stay."""
        low = word.lower()
        if low in LOW_TITLES:
            return word
        if len(word) == 1:
            return self._once("initial", low, lambda: self._draw.choice("ABCDEFGHJKLMNPRSTW"))
        new = self._once("name", low, lambda: self._name(low))
        return new.upper() if word.isupper() else new.lower() if word.islower() else new

    def known(self, word: str) -> bool:
        """Whether a word of a name was replaced before."""
        return ("name", word.lower()) in self._given

    def _once(self, kind: str, key: str, make: object) -> str:
        if (kind, key) not in self._given:
            assert callable(make)
            new = make()
            for _ in range(_MOST_TRIES):
                if new.lower() != key and (
                    kind == "initial" or (kind, new.lower()) not in self._taken
                ):
                    break
                new = make()
            self._given[kind, key] = new
            self._taken.add((kind, new.lower()))
        return self._given[kind, key]

    def _name(self, low: str) -> str:
        return self._faker.first_name() if fold(low) in given_names() else self._faker.last_name()

    def _made(self, kind: Kind, text: str) -> str:
        if kind == "email":
            local = text.partition("@")[0]
            words = [w for w in _WORD.findall(local) if self.known(w)]
            if words:
                new = _WORD.sub(
                    lambda m: (
                        self.word(m.group())
                        if self.known(m.group())
                        else _scrambled(m.group(), self._draw)
                    ),
                    local,
                )
                tail = "" if ("email", new) not in self._taken else str(self._draw.randrange(1000))
                return f"{_scrambled_digits(new, self._draw)}{tail}@{self._domain(text)}"
            return f"{self._faker.user_name()}{self._draw.randrange(1000)}@{self._domain(text)}"
        if kind == "address":
            return str(self._faker.address()).replace("\n", ", ")
        if kind == "birth date":
            return _other_day(text, self._draw)
        return _scrambled(text, self._draw, letters=kind != "phone")

    def _domain(self, text: str) -> str:
        domain = text.partition("@")[2]
        return _DOMAINS[sum(domain.encode()) % len(_DOMAINS)]


def _scrambled(text: str, draw: random.Random, *, letters: bool = True) -> str:
    """Letters for letters and digits for digits; what comes between, and a country's +49, stays."""
    prefix = re.match(r"\+\d{1,2}|[A-Z]{2}(?=\d{2}[ A-Z0-9]{11,})", text)
    start = prefix.end() if prefix else 0
    out = [text[:start]]
    for place, char in enumerate(text[start:], start=start):
        if char.isdigit():
            is_first = place == 0 and char != "0" and len(text) > 1
            out.append(str(draw.randrange(1 if is_first else 0, 10)))
        elif letters and char.isalpha():
            letter = draw.choice("abcdefghijklmnopqrstuvwxyz")
            out.append(letter.upper() if char.isupper() else letter)
        else:
            out.append(char)
    return "".join(out)


def _other_day(text: str, draw: random.Random) -> str:
    """Another day of the same year; day and month both up to 12, so that either order is one."""
    if re.fullmatch(r"\d{8}", text):
        return f"{text[:4]}{draw.randint(1, 12):02d}{draw.randint(1, 12):02d}"
    return re.sub(
        r"(?<!\d)\d{1,2}(?!\d)", lambda m: f"{draw.randint(1, 12):0{len(m[0])}d}", text, count=2
    )


def _scrambled_digits(text: str, draw: random.Random) -> str:
    return re.sub(r"\d", lambda _: str(draw.randrange(10)), text)
