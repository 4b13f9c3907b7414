"""One seam for whatever tells personal data: each recognizer weighs a heading and its cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from llmsynth.personal_data.check_digits import shared_check
from llmsynth.personal_data.headings import Heading
from llmsynth.personal_data.kinds import Kind, is_card, whole
from llmsynth.personal_data.name_lists import script
from llmsynth.personal_data.name_shapes import name_look

_SURE = 0.8
_LIKELY = 0.6
_PART = 0.3
_FEWEST_CHECKED = 20
"""Numbers that must pass a check before it says anything without a heading."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """What a recognizer sees of a column."""

    texts: Sequence[str]
    """A sample of the different cells, as texts; never empty."""
    is_number: bool
    """Whether they are numbers in the table."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What speaks for a kind."""

    kind: Kind
    share: float
    """Of the different cells, those that look like the kind."""
    why: str
    """In words: the heading, the cells, or both."""


class Recognizer(Protocol):
    """Tells one kind of personal data."""

    @property
    def kind(self) -> Kind: ...

    def evidence(self, heading: Heading, cells: Cells) -> Evidence | None:
        """What speaks for the kind, if it is enough."""
        ...


@dataclass(frozen=True, kw_only=True)
class FormRecognizer:
    """Tells a kind by the form of its cells, or by a heading over cells that do not contradict."""

    kind: Kind
    sure: Callable[[str], bool] | None = None
    """Whether a cell can be nothing else."""
    possible: Callable[[str], bool] | None = None
    """Whether a cell may be of the kind, where the heading says so."""
    least_sure: float = _SURE

    def evidence(self, heading: Heading, cells: Cells) -> Evidence | None:
        if self.sure is not None and not cells.is_number:
            share = _share(self.sure, cells.texts)
            if share >= self.least_sure:
                return Evidence(kind=self.kind, share=share, why="the form of its cells")
        if self.possible is not None and heading.says(self.kind):
            share = _share(self.possible, cells.texts)
            if share >= _SURE:
                return Evidence(kind=self.kind, share=share, why="its heading, and cells that fit")
        return None


@dataclass(frozen=True, kw_only=True)
class NameRecognizer:
    """Tells names of people by lists of names, titles, and the heading."""

    kind: ClassVar[Kind] = "name"

    def evidence(self, heading: Heading, cells: Cells) -> Evidence | None:
        if cells.is_number:
            return None
        looks = [name_look(text) for text in cells.texts]
        count = len(looks)
        full, shape = looks.count("full") / count, 1 - looks.count("") / count
        known = full + looks.count("part") / count
        if full >= _LIKELY:
            return Evidence(kind="name", share=known, why="given and family names in its cells")
        if shape >= _SURE and heading.says("name"):
            return Evidence(kind="name", share=shape, why="its heading, and cells that fit")
        # Lists know fewer family names than given ones; "last" alone says little else.
        least = _PART if heading.joined in ("first", "last", "given", "family") else _LIKELY
        if known >= least and shape >= _LIKELY and heading.may_say_name():
            return Evidence(kind="name", share=known, why="its heading, and names in its cells")
        return None


@dataclass(frozen=True, kw_only=True)
class NationalIdRecognizer:
    """Tells identity and tax numbers by their check digits, or by the heading."""

    kind: ClassVar[Kind] = "national id"

    def evidence(self, heading: Heading, cells: Cells) -> Evidence | None:
        if not all(_has_digit(text) for text in cells.texts[:20]):
            return None
        if heading.says("national id") and (share := _share(_is_number, cells.texts)) >= _SURE:
            return Evidence(kind="national id", share=share, why="its heading, and cells that fit")
        if len(cells.texts) >= _FEWEST_CHECKED and (
            found := shared_check(cells.texts, least=_SURE_CHECK)
        ):
            return Evidence(kind="national id", share=1.0, why=f"its check digits ({found[0]})")
        return None


_SURE_CHECK = 0.97


def _share(test: Callable[[str], bool], texts: Sequence[str]) -> float:
    return sum(test(text.strip()) for text in texts) / len(texts)


def _has_digit(text: str) -> bool:
    return any(c.isdigit() for c in text)


def _is_number(text: str) -> bool:
    """Digits, with the letters and signs that numbers of people have among them."""
    return _has_digit(text) and re.fullmatch(r"[\w./ -]{4,30}", text) is not None


def _is_key(text: str) -> bool:
    # Numbers below 100 count the people of a study rather than name them.
    return _has_digit(text) and re.fullmatch(r"[^\s]{3,64}", text) is not None


def _is_phone(text: str) -> bool:
    digits = sum(c.isdigit() for c in text)
    return 6 <= digits <= 15 and re.fullmatch(r"[+\d\s()./-]+(?:x\d+)?", text) is not None


_AMOUNT = re.compile(
    r"\W*(?:(?:less|more|over|under|about|up|to|than|or|and|bis|unter|plus|de|moins|mas|più)\W+)*"
    r"\d+(?:\W*(?:-|to|bis|a|à)?\W*\d+)?\W*(?:years?|yrs?|months?|mths?|weeks?|days?|hours?|jahre?n?|"
    r"monate?n?|tagen?|tage?|wochen?|ans?|années?|mois|jours?|años?|meses|mes|días?|anni|anno|mesi|jaar|"
    r"maanden|lat|roky?|let|år|yıl|лет|года?|people|persons?|times?|changes?|moves?|km|miles?|percent)"
    r"(?:\W+(?:or|and|ago|old|more|less|over|under|plus))*\W*",
    re.I,
)
"""A number and a unit: how long somebody has lived somewhere, not where."""


def _is_street(text: str) -> bool:
    """Words and a house number; where a script needs no blanks, signs and a number or not."""
    if script(text) in ("Han", "Kana", "Hangul"):
        return len(text) >= 4
    if _AMOUNT.fullmatch(text) or " " not in text:
        return False
    return bool(re.search(r"\d", text)) and bool(re.search(r"[^\W\d_]{3}", text))


_STREET_ENDS = (
    r"stra(?:ß|ss)e|str\.|weg|gasse|allee|platz|ring|damm|straat|laan|plein|gracht|vägen|gatan|gata|"
    r"gade|vej|veien|katu|tie|utca"
)
_STREET_STARTS = (
    r"calle|avenida|plaza|paseo|via|viale|piazza|corso|rua|travessa|ul\.|ulica|aleja|"
    r"ул\.|улица|проспект|пр\.|вул\.|вулиця|οδός|شارع|רחוב"
)
_STREETS = re.compile(
    rf"\b[^\W\d_][\w.'’-]*(?:{_STREET_ENDS})\.? \d{{1,4}} ?[a-z]?\b"
    r"|\b\d{1,4}(?: ?(?:bis|ter))?,? (?:rue|avenue|boulevard|chemin|allée|impasse|quai) \w"
    rf"|\b(?:{_STREET_STARTS})\s?[^\d]+,? ?(?:д\. ?|n[.º°] ?)?\d{{1,4}}\b"
    r"|(?:路|街|道|大道|巷|丁目|番地|로|길)\s?\d{1,4}(?:号|號|番|-\d)?",
    re.I,
)
"""A street and a number, as other languages than English order them."""


def _is_sure_street(text: str) -> bool:
    return whole("address", text) or _STREETS.search(text) is not None


def _is_plate(text: str) -> bool:
    return _has_digit(text) and re.fullmatch(r"[\w -]{4,17}", text) is not None


def _is_user_name(text: str) -> bool:
    has_letter = any(c.isalpha() for c in text)
    return has_letter and re.fullmatch(r"@?[\w.+-]{2,40}", text) is not None


def _is_date(text: str) -> bool:
    form = (
        r"\d{1,4}([-/. ])\d{1,2}\1\d{1,4}(?:[T ].*)?|(?:18|19|20)\d{6}|\d{1,4}年\d{1,2}月\d{1,2}日"
    )
    return re.fullmatch(form, text) is not None


_PROFILE = re.compile(
    r"https?://\S+/(?:u|user|users|profile|profiles|people|in|member|members|author|~|@)\S*\w"
    r"|https?://(?:www\.)?(?:facebook|twitter|x|instagram|linkedin|github|t)\.\w+/\S+",
    re.I,
)


def _form(kind: Kind) -> Callable[[str], bool]:
    return lambda text: whole(kind, text)


RECOGNIZERS: tuple[Recognizer, ...] = (
    FormRecognizer(kind="email", sure=_form("email"), possible=lambda text: "@" in text[1:]),
    FormRecognizer(
        kind="iban", sure=_form("iban"), possible=lambda t: t[:2].isalpha() and _is_number(t)
    ),
    FormRecognizer(kind="credit card", sure=_form("credit card"), possible=is_card),
    FormRecognizer(kind="social security", sure=_form("social security")),
    FormRecognizer(kind="mac", sure=_form("mac")),
    FormRecognizer(kind="ip", sure=_form("ip")),
    NationalIdRecognizer(),
    FormRecognizer(kind="birth date", possible=_is_date),
    FormRecognizer(kind="phone", sure=_form("phone"), possible=_is_phone),
    FormRecognizer(
        kind="url",
        sure=lambda t: _PROFILE.fullmatch(t) is not None,
        possible=lambda t: "://" in t or t.startswith("www."),
    ),
    FormRecognizer(
        kind="user name",
        sure=lambda t: re.fullmatch(r"@\w{2,40}", t) is not None,
        possible=_is_user_name,
    ),
    FormRecognizer(kind="address", sure=_is_sure_street, possible=_is_street, least_sure=_LIKELY),
    FormRecognizer(kind="plate", possible=_is_plate),
    NameRecognizer(),
    FormRecognizer(kind="id", possible=_is_key),
)
"""All of them, the surest first: the first that has enough evidence tells the kind."""
