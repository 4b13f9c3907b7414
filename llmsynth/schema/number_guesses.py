"""Which spelling a column's numbers have, and which of its texts are words among them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from llmsynth.schema.number_spelling import (
    GROUP_MARKS,
    Affixes,
    NumberSpelling,
    Spelling,
    number_spelling,
)

FEWEST_NUMBERS = 12
"""So many distinct numbers or fewer, spelled with marks or beside words, are categories."""
MOST_WORDS = 20
_ALWAYS_FEW_WORDS = 5
_MOST_WORD_CELLS = 0.3
_LEAST_ALIKE = 0.5
_CURRENCIES = (
    "USD|EUR|GBP|JPY|CHF|CNY|RMB|INR|AUD|CAD|NZD|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|RUB|UAH|TRY|"
    "ILS|AED|SAR|ZAR|NGN|KES|EGP|BRL|MXN|ARS|CLP|COP|PEN|KRW|TWD|THB|VND|IDR|MYR|PHP|SGD|HKD|PKR"
)
_LOOKS_LIKE_NUMBER = re.compile(
    rf"(?P<lead>[^0-9]*?)(?P<core>[.,]?[0-9](?:[0-9{GROUP_MARKS}]*[0-9])?)"
    r"(?P<exponent>[eE][+-]?[0-9]{1,3})?(?P<tail>[^0-9]*)"
)
_PREFIX = re.compile(
    rf"\s*(?:[$€£¥₹₽₩₺₴₪₦₫฿¢#~≈]|(?:{_CURRENCIES})|[A-Z]{{1,2}}\$|Rs\.?|kr\.?|Fr\.?|zł)?\s*"
)
_SUFFIX = re.compile(r"\s*(?:[^\W\d_]|[%‰°º$€£¥₹²³/.·*-]){0,14}\s*")
_SIGNS = "-\u2212+("


@dataclass(frozen=True, kw_only=True)
class NumberReading:
    """How a column of texts is read as numbers.

    words: texts that are no numbers, the commonest first.
    num_respelled: distinct numbers that `spelling` writes otherwise than they came.
    """

    spelling: Spelling
    words: tuple[str, ...] = ()
    num_respelled: int = 0


@dataclass(frozen=True)
class _Look:
    """One text, taken apart."""

    text: str
    lead: str
    core: str
    exponent: str
    tail: str

    @property
    def sign(self) -> str:
        found = [mark for mark in self.lead if mark in _SIGNS]
        if self.tail.rstrip().endswith("-"):
            found.append("-")
        return found[0] if len(found) == 1 else "" if not found else "?"

    @property
    def affixes(self) -> tuple[str, str]:
        """What stands around the digits, without the sign."""
        tail = self.tail
        if self.sign == "(":
            tail = tail.replace(")", "", 1)
        elif self.sign == "-" and not any(mark in self.lead for mark in _SIGNS):
            tail = tail.rstrip()[:-1]
        return "".join(mark for mark in self.lead if mark not in _SIGNS), tail


def guess_numbers(
    texts: Sequence[str], count_cells: Callable[[Sequence[str]], int], num_cells: int
) -> NumberReading | None:
    """Read distinct texts as numbers, with a few words among them; None where they are others.

    A column is of numbers where more than 12 distinct texts are, and at most 20 are none and half
    as many as numbers; more than five words may make up 30% of the cells. All numbers have one
    pair of prefix and suffix, the commonest, and at least half of them are written back as they
    came.

    Args:
        texts: every distinct text, or of very many those that can change the answer.
        count_cells: how many cells hold one of some texts.
        num_cells: how many cells there are.
    """
    looks = [_look(text) for text in texts]
    keys = Counter(look.affixes for look in looks if look is not None)
    if not keys:
        return None
    (usual, _), *_ = keys.most_common(1)
    numbers = [look for look in looks if look is not None and look.affixes == usual]
    apart = {look.text for look in numbers}
    words = [text for text in texts if text not in apart]
    if len(apart) <= FEWEST_NUMBERS:
        return None
    if words and not are_few(words, len(numbers), count_cells, num_cells):
        return None
    spelling, num_respelled = _best(numbers, usual)
    if spelling is None or num_respelled > (1 - _LEAST_ALIKE) * len(numbers):
        return None
    ordered = sorted(words, key=lambda word: (-count_cells([word]), word))
    return NumberReading(spelling=spelling, words=tuple(ordered), num_respelled=num_respelled)


def are_few(
    words: Sequence[str],
    num_numbers: int,
    count_cells: Callable[[Sequence[str]], int],
    num_cells: int,
) -> bool:
    """Whether distinct words are few enough beside so many distinct numbers."""
    if len(words) > min(MOST_WORDS, num_numbers / 2):
        return False
    return len(words) <= _ALWAYS_FEW_WORDS or count_cells(words) <= _MOST_WORD_CELLS * num_cells


def _look(text: str) -> _Look | None:
    found = _LOOKS_LIKE_NUMBER.fullmatch(text)
    if found is None:
        return None
    look = _Look(text, found["lead"], found["core"], found["exponent"] or "", found["tail"])
    prefix, suffix = look.affixes
    is_number = look.sign != "?" and (look.sign == "(") == (")" in look.tail)
    if not is_number or not _PREFIX.fullmatch(prefix) or not _SUFFIX.fullmatch(suffix):
        return None
    return look


def _best(numbers: Sequence[_Look], usual: tuple[str, str]) -> tuple[Spelling | None, int]:
    """The spelling that gives back most of the texts, and how many it does not."""
    best: tuple[Spelling | None, int] = (None, len(numbers) + 1)
    for spelling in _candidates(numbers, usual):
        wrong = 0
        for look in numbers:
            plain = spelling.read(look.text)
            if plain is None:
                wrong = len(numbers) + 1
                break
            wrong += spelling.write(plain) != look.text
        if wrong < best[1]:
            best = (spelling, wrong)
    return best


def _candidates(numbers: Sequence[_Look], usual: tuple[str, str]) -> list[Spelling]:
    out: list[Spelling] = []
    marks = _marks([look.core for look in numbers])
    if marks is None:
        return out
    if usual == ("", "") and any(look.exponent for look in numbers):
        digits = max(len(re.sub("[^0-9]", "", look.core).strip("0")) for look in numbers)
        out += [number_spelling(name) for name in ("@r", "@python", f"@g{min(digits, 99)}")]
    mark, group = marks
    parts = [look.core.replace(group, "") if group else look.core for look in numbers]
    wholes = [part.partition(mark)[0] for part in parts]
    decimals = [len(part.partition(mark)[2]) for part in parts]
    # Without a group mark, zeros ahead pad to a width; `.5` has no digit before the mark.
    padded = [len(whole) for whole in wholes if len(whole) > 1 and whole[0] == "0"]
    widths = [0] if "" in wholes else sorted({1, min(padded, default=1)})
    exponents = Counter(_exponent_form(look.exponent) for look in numbers)
    fewest = sorted({min(decimals), max(decimals), *([1] if max(decimals) else [])})
    forms = [form for form, _ in exponents.most_common(3)]
    for few, form, width in product(fewest, forms, widths):
        out.append(
            NumberSpelling(
                positive=_affixes(numbers, usual, is_negative=False),
                negative=_affixes(numbers, usual, is_negative=True),
                group=group,
                width=1 if group or form else width,
                mark=mark,
                fewest_decimals=few,
                most_decimals=max(decimals),
                exponent=form,
            )
        )
    return out


def _exponent_form(exponent: str) -> str:
    if not exponent:
        return ""
    digits = exponent[1:].lstrip("+-")
    sign = "+" if exponent[1] == "+" or len(digits) > 1 else ""
    return exponent[0] + sign + "0" * min(len(digits), 2)


def _affixes(numbers: Sequence[_Look], usual: tuple[str, str], *, is_negative: bool) -> Affixes:
    """The commonest affixes of the numbers of one sign; the sign stands before where none came."""
    negative = {"-", "\u2212", "("}
    found = Counter(
        (look.lead, look.tail) for look in numbers if (look.sign in negative) == is_negative
    )
    if found:
        (before, behind), _ = found.most_common(1)[0]
    else:
        before, behind = ("-" + usual[0] if is_negative else usual[0]), usual[1]
    return Affixes(before=before, behind=behind)


def _marks(cores: Sequence[str]) -> tuple[str, str] | None:
    """The decimal mark, and the mark between thousands or nothing; None where they disagree."""
    used = {mark for core in cores for mark in core if not mark.isdigit()}
    if not used:
        return ".", ""
    if len(used) > 2 or (len(used) == 2 and not used & {".", ","}):
        return None
    for mark in sorted(used & {".", ","}, key=lambda m: m == ","):
        groups = used - {mark}
        group = groups.pop() if groups else ""
        if all(_is_marked(core, mark, group) for core in cores) and not _are_thousands(cores, mark):
            return mark, group
    if len(used) == 1:
        (group,) = used
        if all(_is_marked(core, "", group) for core in cores):
            return ("," if group == "." else "."), group
    return None


def _is_marked(core: str, mark: str, group: str) -> bool:
    whole, found, fraction = core.partition(mark) if mark else (core, "", "")
    if found and (not fraction.isdigit()):
        return False
    if not group or group not in whole:
        return whole.isdigit() or not whole
    first, *others = whole.split(group)
    return (
        1 <= len(first) <= 3
        and first.isdigit()
        and all(len(o) == 3 and o.isdigit() for o in others)
    )


def _are_thousands(cores: Sequence[str], mark: str) -> bool:
    """Whether a comma stands between thousands: three digits behind it wherever it stands."""
    if mark != ",":
        return False
    marked = [core for core in cores if mark in core]
    return all(re.fullmatch(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+", core) for core in marked)
