"""Which columns of a table hold personal data, told by their cells and, for some, their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.personal_data.kinds import PATTERNS, Kind, family_names, given_names, whole

_MOST_CELLS = 1_000
_MOST_ROWS = 50_000
_SURE = 0.8
_LIKELY = 0.6
_FEWEST_NAMES = 10
"""Different cells below which a column is no list of people: "White" and "Black" are names, too."""
_FEWEST_IDS = 20
_FEWEST_LEVELS = 10
"""Different cells below which a column whose cells repeat is one of levels, as they may look."""
_LEAST_ADDRESS_SHARE = 0.05
"""Of the cells, how many are different where only the heading says that they are addresses."""

_PHONE_WORDS = re.compile(r"phone|mobile|telephone|(?:^|_)(?:tel|cell|fax)(?:_|$)", re.I)
_ADDRESS_WORDS = re.compile(r"(?:^|[_ ])(?:address|addr|street|residence)", re.I)
_NAME_WORDS = re.compile(
    r"(?:^|[_ ])(?:name|full_?name|(?:first|last|middle|given|family|maiden)_?name|"
    r"name_?(?:first|last|given)|first|last|surname|forename|patient|doctor|physician|clinician|nurse|"
    r"employee|author|owner|contact|customer|client|guest|host|person)(?:_?name)?$",
    re.I,
)
_ID_WORDS = re.compile(
    r"(?:^|[_ ])(?:(?:patient|person|people|customer|client|user|member|employee|staff|student|"
    r"account|policy|subject|guest|host|owner|passport|license|licence|insurance|national|tax)"
    r"[_ ]?(?:id|no|nr|nbr|num|number|key)|mrn|ssn|nhs(?:_?number)?|iban|passport|npi)$",
    re.I,
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")  # noqa: RUF001 (a typed apostrophe)


@dataclass(frozen=True, kw_only=True)
class PersonalColumn:
    """A column that holds personal data."""

    name: str
    kind: Kind
    share: float
    """Of its different cells (a sample of them), how many look like the kind."""


def detect(table: pa.Table, *, texts: Sequence[str] = ()) -> tuple[PersonalColumn, ...]:
    """Columns that hold names, e-mail addresses, phone numbers, addresses, or ids of people.

    A column counts where four of five different cells have the form of a kind; names need three of
    five cells of known given and family names, and a heading that says so unless most cells are a
    given and a family name. Fewer than ten different cells that repeat are levels, and never
    personal data. No model and no network is asked.

    Args:
        texts: free-text columns, which are no lists of people.
    """
    found = []
    for name, cells in zip(table.column_names, table.itercolumns(), strict=True):
        kind = cells.type
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if name in texts or not (is_text or pa.types.is_integer(kind)):
            continue
        if len(cells) > _MOST_ROWS:
            cells = cells.take(pa.array(range(0, len(cells), len(cells) // _MOST_ROWS)))
        held = cells.drop_null()
        distinct = pc.unique(held).cast(pa.string())
        if len(distinct) < _FEWEST_LEVELS and len(held) >= 2 * len(distinct):
            continue
        step = max(1, len(distinct) // _MOST_CELLS)
        sample = [text for text in distinct.to_pylist()[::step] if text.strip()]
        share = len(distinct) / max(len(held), 1)
        if sample and (personal := _column(name, sample, len(distinct), share, is_text=is_text)):
            found.append(personal)
    return tuple(found)


def _column(
    name: str, sample: Sequence[str], num_distinct: int, distinct_share: float, *, is_text: bool
) -> PersonalColumn | None:
    heading = re.sub(r"(?<=[a-z])(?=[A-Z])|[-. ]+", "_", name)
    if is_text:
        for kind, _, _ in PATTERNS:
            share = sum(whole(kind, text.strip()) for text in sample) / len(sample)
            if share >= _SURE:
                return PersonalColumn(name=name, kind=kind, share=share)
        if personal := _address(name, heading, sample, distinct_share) or _names(
            name, heading, sample, num_distinct
        ):
            return personal
    if num_distinct >= _FEWEST_IDS and _PHONE_WORDS.search(heading):
        share = sum(_digits(text) for text in sample) / len(sample)
        if share >= _SURE:
            return PersonalColumn(name=name, kind="phone", share=share)
    if num_distinct >= _FEWEST_IDS and _ID_WORDS.search(heading):
        share = sum(any(c.isdigit() for c in t) and " " not in t for t in sample) / len(sample)
        if share >= _SURE:
            return PersonalColumn(name=name, kind="id", share=share)
    return None


def _address(
    name: str, heading: str, sample: Sequence[str], distinct_share: float
) -> PersonalColumn | None:
    sure = sum(whole("address", text) for text in sample) / len(sample)
    likely = sum(bool(re.search(r"\d", text)) and _names_a_place(text) for text in sample)
    # A heading such as "years at address" says it, too: its cells are few and lower-case.
    is_named = _ADDRESS_WORDS.search(heading) is not None and distinct_share >= _LEAST_ADDRESS_SHARE
    if sure >= _LIKELY or (is_named and likely / len(sample) >= _SURE and len(sample) > 1):
        return PersonalColumn(name=name, kind="address", share=max(sure, likely / len(sample)))
    return None


def _names_a_place(text: str) -> bool:
    """Whether a street could be named: a capitalised word, or two words beside the number."""
    words = re.findall(r"[^\W\d_]{3,}", text)
    return len(words) > 1 or any(not word.islower() for word in words)


def _names(
    name: str, heading: str, sample: Sequence[str], num_distinct: int
) -> PersonalColumn | None:
    if num_distinct < _FEWEST_NAMES:
        return None
    looks = [_name_look(text) for text in sample]
    full, any_known = looks.count("full") / len(sample), 1 - looks.count("") / len(sample)
    if full >= _LIKELY or (any_known >= _LIKELY and _NAME_WORDS.search(heading)):
        return PersonalColumn(name=name, kind="name", share=any_known)
    return None


def _name_look(text: str) -> str:
    """`full` for a given and a family name, `part` for one of them, else nothing."""
    words = [word.rstrip(".") for word in _WORD.findall(text)]
    others = re.sub(r"[\s,.&]|and\b", "", _WORD.sub("", text))
    if not 1 <= len(words) <= 5 or others or not all(word[0].isupper() for word in words):
        return ""
    given, family = given_names(), family_names()
    low = [word.lower() for word in words]
    if len(words) >= 2 and any(w in given for w in low) and any(w in family for w in low):
        return "full"
    return "part" if any(w in given or w in family for w in low) else ""


def _digits(text: str) -> bool:
    return 7 <= sum(c.isdigit() for c in text) <= 15 and not any(c.isalpha() for c in text[:-6])
