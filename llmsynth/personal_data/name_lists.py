"""Which words are names: given names by sex and family names, in many languages and scripts."""

from __future__ import annotations

import pkgutil
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Literal

Sex = Literal["f", "m"]
_AGREEING = 0.75
"""Share of the lists with a name that must give it one sex."""

# Vowel signs of Hebrew, Arabic, the Indic scripts and Thai are no letters to `\w`.
_MARKS = r"\u0300-\u036f\u0591-\u05c7\u064b-\u0655\u0670\u0900-\u0963\u0970-\u0dff\u0e00-\u0e4e"
_LETTERS = rf"(?:[^\W\d_]|[{_MARKS}])+"
NAME_WORD = re.compile(rf"{_LETTERS}(?:['’ʼ-]{_LETTERS})*")
"""A word as names are written: letters of any script, with apostrophes and hyphens inside."""

_PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ё": "е", "’": "'", "ʼ": "'"}
)


def fold(text: str) -> str:
    """The text without case and accents, so that "Jürgen", "JURGEN" and "jurgen" are one word."""
    spread = unicodedata.normalize("NFKD", text.casefold().replace("i̇", "i"))
    bare = "".join(c for c in spread if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", bare).translate(_PLAIN)


_SCRIPTS: tuple[tuple[str, str], ...] = (
    ("LATIN", "Latin"),
    ("CYRILLIC", "Cyrillic"),
    ("GREEK", "Greek"),
    ("ARABIC", "Arabic"),
    ("HEBREW", "Hebrew"),
    ("DEVANAGARI", "Devanagari"),
    ("HANGUL", "Hangul"),
    ("HIRAGANA", "Kana"),
    ("KATAKANA", "Kana"),
    ("CJK", "Han"),
    ("THAI", "Thai"),
    ("GEORGIAN", "Georgian"),
    ("ARMENIAN", "Armenian"),
    ("BENGALI", "Bengali"),
    ("TAMIL", "Tamil"),
    ("GUJARATI", "Gujarati"),
)


def script(text: str) -> str:
    """The script of the first letter; empty where there is none, or none that is known."""
    for char in text:
        if char.isalpha():
            name = unicodedata.name(char, "")
            return next((own for start, own in _SCRIPTS if name.startswith(start)), "")
    return ""


LOCALES: dict[str, tuple[str, ...]] = {
    "Latin": (
        "en_US", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pt_PT", "pl_PL", "cs_CZ", "sv_SE",
        "tr_TR", "vi_VN", "da_DK", "no_NO", "fi_FI", "hu_HU", "ro_RO", "hr_HR", "en_IN", "id_ID",
    ),
    "Cyrillic": ("ru_RU", "uk_UA", "bg_BG"),
    "Greek": ("el_GR",),
    "Arabic": ("ar_AA", "fa_IR"),
    "Hebrew": ("he_IL",),
    "Devanagari": ("hi_IN", "ne_NP", "mr_IN"),
    "Hangul": ("ko_KR",),
    "Kana": ("ja_JP",),
    "Han": ("zh_CN", "ja_JP", "zh_TW"),
    "Thai": ("th_TH",),
    "Georgian": ("ka_GE",),
    "Armenian": ("hy_AM",),
    "Bengali": ("bn_BD",),
    "Tamil": ("ta_IN",),
    "Gujarati": ("gu_IN",),
}  # fmt: skip
"""Script to the locales whose lists are tried for its names, the usual one first."""


@dataclass(frozen=True, kw_only=True)
class NameList:
    """The names of one locale, as they are spelled."""

    given: dict[Sex | None, tuple[str, ...]]
    """By sex; under None those that no list gives a sex."""
    family: dict[Sex | None, tuple[str, ...]]
    """By sex where the language has forms for it; all of them under None."""


@cache
def name_list(locale: str) -> NameList:
    """The list of one of faker's locales."""
    return _read(import_module(f"faker.providers.person.{locale}"))


def _read(module: ModuleType) -> NameList:
    found: dict[str, list[str]] = {"gf": [], "gm": [], "g": [], "ff": [], "fm": [], "f": []}
    for attribute in sorted(dir(module.Provider)):
        value = getattr(module.Provider, attribute)
        is_given, is_family = "first_names" in attribute, "last_names" in attribute
        if not (is_given or is_family) or not hasattr(value, "__iter__") or "roman" in attribute:
            continue
        sex = "f" if "female" in attribute else "m" if "_male" in attribute else ""
        texts = [t for t in map(str, value) if len(t) > 1 or script(t) in ("Han", "Hangul")]
        found[("g" if is_given else "f") + sex] += texts
    unique = {key: tuple(dict.fromkeys(texts)) for key, texts in found.items()}
    both = (*unique["f"], *unique["fm"], *unique["ff"])
    return NameList(
        given={"f": unique["gf"], "m": unique["gm"], None: unique["g"]},
        family={"f": unique["ff"], "m": unique["fm"], None: tuple(dict.fromkeys(both))},
    )


@cache
def _all_lists() -> tuple[NameList, ...]:
    package = import_module("faker.providers.person")
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return tuple(name_list(name) for name in names)


@cache
def given_names() -> frozenset[str]:
    """Given names of every locale of faker, folded, and their parts where they have several."""
    return frozenset(
        word for own in _all_lists() for texts in own.given.values() for word in _words(texts)
    )


@cache
def family_names() -> frozenset[str]:
    """Family names of every locale of faker, folded."""
    return frozenset(
        word for own in _all_lists() for texts in own.family.values() for word in _words(texts)
    )


def _words(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        low = fold(text)
        yield low
        if " " in low or "-" in low:
            yield from (word for word in re.split(r"[ -]", low) if len(word) > 2)


@cache
def _sexes() -> dict[str, Sex]:
    votes: dict[str, Counter[Sex]] = {}
    for own in _all_lists():
        for sex in ("f", "m"):
            for text in own.given[sex]:
                votes.setdefault(fold(text), Counter())[sex] += 1
    return {
        name: sex
        for name, won in votes.items()
        for sex, count in won.most_common(1)
        if count >= _AGREEING * won.total()
    }


def sex_of_given_name(word: str) -> Sex | None:
    """The sex that nearly all lists which have the name give it; None where they differ."""
    return _sexes().get(fold(word))


@cache
def _known_words(locale: str) -> tuple[frozenset[str], frozenset[str]]:
    own = name_list(locale)
    given = {w for texts in own.given.values() for w in _words(texts)}
    return frozenset(given), frozenset(w for t in own.family.values() for w in _words(t))


def likely_locale(words: Iterable[str], *, default: str = "en_US") -> str:
    """The locale whose lists hold most of the words, those of the words' script only.

    A family name counts three times a given name: Anna and Maria are at home everywhere.
    """
    low = [fold(word) for word in words]
    scripts = Counter(own for word in low if (own := script(word)))
    if not scripts:
        return default
    if scripts["Kana"]:
        return "ja_JP"
    (common, _), *_ = scripts.most_common(1)
    scores = {}
    for locale in LOCALES.get(common, (default,)):
        given, family = _known_words(locale)
        scores[locale] = sum((w in given) + 3 * (w in family or w[:1] in family) for w in low)
    return max(scores, key=lambda locale: scores[locale])
