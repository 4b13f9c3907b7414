"""How a column spells its numbers: `$1,234.50`, `(1,250)`, `12,5 %`, `000105`, `3.50e-05`.

A spelling is written as a number pattern in the manner of spreadsheets and Unicode's LDML (UTS 35,
part 3): `#,##0.00` groups thousands and has two decimals, `0.0#` has one or two, `000000` is padded
to six digits, `#.00` writes no zero before the mark, `0.00E+00` is scientific. What stands before
and behind is written as it is, between apostrophes where it holds a character of the pattern. A
second pattern behind `;` is that of negative numbers: `#,##0;(#,##0)`. Unlike LDML, the marks are
those that are written: `#.##0,00` has a decimal comma, and `%` multiplies nothing.

Patterns of times and durations are those of `clock_spelling`.

`@r`, `@python` and `@g6` spell a number in full or scientific, as R, Python or C's `%.6g` would.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property

import pyarrow as pa

from llmsynth.errors import SchemaError
from llmsynth.schema.clock_spelling import ClockSpelling

GROUP_MARKS = ",.'\u2019 \u00a0\u202f_"
_CORE = re.compile(
    r"(?P<grouped>#(?P<group>[^0#])##0)?(?P<whole>#|0*)"
    r"(?:(?P<mark>[.,])(?P<fewest>0*)(?P<more>#*))?(?P<exponent>[eE]\+?0+)?"
)


@dataclass(frozen=True, kw_only=True)
class Affixes:
    """What stands before and behind the digits."""

    before: str = ""
    behind: str = ""


@dataclass(frozen=True, kw_only=True)
class NumberSpelling:
    """A number pattern, taken apart; see the module docstring."""

    positive: Affixes = Affixes()
    negative: Affixes = Affixes(before="-")
    group: str = ""
    """Mark between thousands; none where empty."""
    width: int = 1
    """Fewest digits before the mark; 0 writes .5 for a half."""
    mark: str = "."
    fewest_decimals: int = 0
    most_decimals: int = 0
    exponent: str = ""
    """`e+00` or the like: the letter, a sign where pluses are written, and the fewest digits."""

    @classmethod
    def parse(cls, pattern: str) -> NumberSpelling:
        """Take a pattern apart.

        Raises:
            SchemaError: no number pattern.
        """
        first, second = _halves(pattern)
        before, core, behind = _parts(first)
        found = _CORE.fullmatch(core)
        if found is None:
            raise _no_pattern(pattern)
        whole = found["whole"]
        width = len(whole) + bool(found["grouped"]) if whole != "#" else 0
        if not found["grouped"] and not whole and found["mark"] is None:
            raise _no_pattern(pattern)
        fewest, more = len(found["fewest"] or ""), len(found["more"] or "")
        negative = Affixes(before="-" + before, behind=behind)
        if second:
            start, _, end = _parts(second)
            negative = Affixes(before=start, behind=end)
        return cls(
            positive=Affixes(before=before, behind=behind),
            negative=negative,
            group=found["group"] or "",
            width=width,
            mark=found["mark"] or ".",
            fewest_decimals=fewest,
            most_decimals=fewest + more,
            exponent=found["exponent"] or "",
        )

    @property
    def pattern(self) -> str:
        """The pattern that `parse` takes apart again."""
        core = "0" * self.width if self.width else "#"
        if self.group:
            core = f"#{_quoted(self.group)}##0"
        if self.most_decimals:
            more = self.most_decimals - self.fewest_decimals
            core += self.mark + "0" * self.fewest_decimals + "#" * more
        core += self.exponent
        positive = _quoted(self.positive.before) + core + _quoted(self.positive.behind)
        usual = Affixes(before="-" + self.positive.before, behind=self.positive.behind)
        if self.negative == usual:
            return positive
        return f"{positive};{_quoted(self.negative.before)}{core}{_quoted(self.negative.behind)}"

    @cached_property
    def _regexes(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """Of positive and of negative texts, with the groups whole, fraction and exponent."""
        group = rf"(?:{re.escape(self.group)}[0-9]{{3}})*" if self.group else ""
        mark = re.escape(self.mark)
        core = rf"(?P<whole>[0-9]+{group}|(?={mark}))(?:{mark}(?P<fraction>[0-9]+))?"
        core += r"(?:[eE](?P<exponent>[+-]?[0-9]{1,3}))?"
        positive, negative = (
            re.compile(re.escape(affixes.before) + core + re.escape(affixes.behind), re.ASCII)
            for affixes in (self.positive, self.negative)
        )
        return positive, negative

    def read(self, text: str) -> str | None:
        """The number in plain decimals, or None where the text is none with these marks.

        Zeros, marks between thousands and the form of the exponent are not insisted on: `write`
        gives back the text only where it is spelled just so.
        """
        for regex, sign in zip(self._regexes, ("", "-"), strict=True):
            if found := regex.fullmatch(text):
                whole = found["whole"].replace(self.group, "") if self.group else found["whole"]
                number = f"{sign}{whole or 0}.{found['fraction'] or 0}"
                if found["exponent"]:
                    number = format(Decimal(f"{number}e{found['exponent']}"), "f")
                return canonical(number)
        return None

    def write(self, plain: str) -> str:
        """A number in plain decimals (`-1234.5`) as the column spells it; digits are never cut."""
        affixes = self.negative if plain.startswith("-") else self.positive
        digits = plain.lstrip("-")
        exponent = ""
        if self.exponent:
            digits, exponent = self._scientific(digits)
        whole, _, fraction = digits.partition(".")
        fraction = fraction.ljust(self.fewest_decimals, "0")
        whole = whole.lstrip("0").rjust(self.width, "0")
        if not whole and not fraction:
            whole = "0"
        if self.group:
            whole = f"{int(whole):,}".replace(",", self.group)
        decimals = self.mark + fraction if fraction else ""
        return f"{affixes.before}{whole}{decimals}{exponent}{affixes.behind}"

    def _scientific(self, digits: str) -> tuple[str, str]:
        number = Decimal(digits)
        power = number.adjusted() if number else 0
        letter, sign = self.exponent[0], "-" if power < 0 else "+" if "+" in self.exponent else ""
        mantissa = canonical(format(number.scaleb(-power), "f"))
        return mantissa, f"{letter}{sign}{str(abs(power)).zfill(self.exponent.count('0'))}"


@dataclass(frozen=True, kw_only=True)
class PrintedSpelling:
    """Numbers as a program prints them: in full, or scientific where that is its habit.

    `@r`: whichever is shorter, in full where both are as long (R's `print` and `write.csv`).
    `@python`: scientific from 1e16 on and below 1e-4; a whole number has `.0`.
    `@gN`: scientific from 1eN on and below 1e-4.
    """

    pattern: str

    def read(self, text: str) -> str | None:
        """The number in plain decimals, or None where the text is none."""
        return _PLAIN_SPELLING.read(text)

    def write(self, plain: str) -> str:
        """A number in plain decimals as the program prints it."""
        number = Decimal(plain)
        is_python = self.pattern == "@python"
        if number.is_zero():
            return "0.0" if is_python else "0"
        power = number.adjusted()
        mantissa = canonical(format(number.scaleb(-power), "f"))
        scientific = f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
        if self.pattern == "@r":
            return plain if len(plain) <= len(scientific) else scientific
        if not -4 <= power < (16 if is_python else int(self.pattern[2:])):
            return scientific
        return f"{plain}.0" if is_python and "." not in plain else plain


Spelling = NumberSpelling | PrintedSpelling | ClockSpelling
_PLAIN_SPELLING = NumberSpelling()


@cache
def number_spelling(pattern: str) -> Spelling:
    """The spelling that a pattern names.

    Raises:
        SchemaError: no number pattern.
    """
    if re.fullmatch(r"@(?:r|python|g[1-9][0-9]?)", pattern, re.ASCII):
        return PrintedSpelling(pattern=pattern)
    if re.match(r"[^0#%]*%[A-Za-z]", pattern):
        return ClockSpelling(pattern)
    return NumberSpelling.parse(pattern)


def canonical(number: str) -> str:
    """Plain decimals without zeros that say nothing, and without a negative zero."""
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    whole, _, fraction = digits.partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    out = f"{whole}.{fraction}" if fraction else whole
    return out if out == "0" else sign + out


def read_all(spelling: Spelling, texts: pa.Array) -> pa.Array:
    """Every text in plain decimals; null where it is missing or no number in this spelling."""
    return _each(texts, spelling.read)


def write_all(spelling: Spelling, plain: pa.Array) -> pa.Array:
    """Every number in plain decimals as the column spells it; null stays null."""
    return _each(plain, spelling.write)


def _each(texts: pa.Array, change: Callable[[str], str | None]) -> pa.Array:
    """Each distinct text changed once."""
    coded = texts.dictionary_encode()
    changed = [change(text) for text in coded.dictionary.to_pylist()]
    return pa.array(changed, pa.string()).take(coded.indices)


def _halves(pattern: str) -> tuple[str, str]:
    """The positive and the negative pattern, parted at a semicolon outside apostrophes."""
    outside = re.sub("'[^']*'", lambda found: "x" * len(found[0]), pattern)
    at = outside.find(";")
    return (pattern, "") if at < 0 else (pattern[:at], pattern[at + 1 :])


def _parts(pattern: str) -> tuple[str, str, str]:
    """What stands before the digits, the digits' pattern, and what stands behind."""
    pieces = _tokens(pattern)
    inside = [at for at, (text, is_quoted) in enumerate(pieces) if not is_quoted and text in "0#"]
    if not inside:
        raise _no_pattern(pattern)
    first, last = inside[0], inside[-1]
    # A mark may lead, as in `.00`, where no digit is written before it.
    before = "".join(text for text, _ in pieces[:first])
    core = "".join(text for text, _ in pieces[first : last + 1])
    behind = "".join(text for text, _ in pieces[last + 1 :])
    return before, core, behind


def _tokens(pattern: str) -> list[tuple[str, bool]]:
    """Characters, and whether each stood between apostrophes; a doubled one is itself."""
    out: list[tuple[str, bool]] = []
    for piece in re.findall("'[^']*'|[^']", pattern):
        if piece == "''":
            out.append(("'", True))
        elif piece.startswith("'") and len(piece) > 1:
            out += [(character, True) for character in piece[1:-1]]
        else:
            out.append((piece, False))
    return out


def _quoted(text: str) -> str:
    text = text.replace("'", "''")
    return f"'{text}'" if re.search("[0#;]", text) else text


def _no_pattern(pattern: str) -> SchemaError:
    return SchemaError(
        f"Expected a number pattern such as #,##0.00 or $0.##, got {pattern!r}.",
        hint="Correct `spelling` in the schema.",
    )
