"""Times of day, durations, months, quarters, weeks, days and moments: whole numbers as texts.

A spelling is written with directives, most of them strftime's: `%H` `%k` (hour, without a zero
ahead), `%I` `%l` (of twelve), `%M` `%S` `%f` (three decimals) `%p` (AM) `%P` (am); `%N` (any count:
hours before `%M`, minutes before `%S`, days before `%H`); `%Y` `%m` `%b` `%B` `%d` `%y`; `%q`
(quarter); `%G` `%V` (ISO year and week); `%z{+01:00,+02:00}` (one of the listed offsets). The
number counts the finest unit: `14:05` is 845 minutes. With offsets, its last digits say which.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass
from functools import cached_property

from llmsynth.errors import SchemaError

_MONTHS = [name.lower() for name in calendar.month_name]
_SHORT = [name.lower() for name in calendar.month_abbr]
_FIELDS = {
    "H": "[01][0-9]|2[0-3]",
    "k": "[0-9]|1[0-9]|2[0-3]",
    "I": "0[1-9]|1[0-2]",
    "l": "[1-9]|1[0-2]",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "f": "[0-9]{3}",
    "p": "AM|PM",
    "P": "am|pm",
    "N": "0|[1-9][0-9]{0,8}",
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "G": "[0-9]{4}",
    "m": "0[1-9]|1[0-2]",
    "d": "0[1-9]|[12][0-9]|3[01]",
    "b": "|".join(name.title() for name in _SHORT[1:]),
    "B": "|".join(name.title() for name in _MONTHS[1:]),
    "q": "[1-4]",
    "V": "0[1-9]|[1-4][0-9]|5[0-3]",
    "z": "Z|[+-][0-9]{2}:?[0-9]{2}",
}
_DIRECTIVE = re.compile(r"%(z\{[^}]*\}|[A-Za-z])")


@dataclass(frozen=True)
class ClockSpelling:
    """A pattern of directives; see the module docstring."""

    pattern: str

    def __post_init__(self) -> None:
        found = [name[0] for name in _DIRECTIVE.findall(self.pattern)]
        if not found or set(found) - set(_FIELDS) or len(set(found)) < len(found):
            raise SchemaError(
                f"Expected a pattern such as %H:%M:%S or %YQ%q, each directive once, "
                f"got {self.pattern!r}.",
                hint="Correct `spelling` in the schema.",
            )

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        out, at = "", 0
        for found in _DIRECTIVE.finditer(self.pattern):
            name = found[1][0]
            out += re.escape(self.pattern[at : found.start()]) + f"(?P<{name}>{_FIELDS[name]})"
            at = found.end()
        return re.compile(out + re.escape(self.pattern[at:]), re.ASCII)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(name[0] for name in _DIRECTIVE.findall(self.pattern))

    @cached_property
    def offsets(self) -> tuple[str, ...]:
        """The offsets that may be written, in order."""
        found = re.search(r"%z\{([^}]*)\}", self.pattern)
        return tuple(found[1].split(",")) if found else ()

    @cached_property
    def _room(self) -> int:
        """A power of ten that leaves the last digits for the offset."""
        return 10 ** len(str(len(self.offsets) - 1)) if self.offsets else 1

    @cached_property
    def _ticks_a_second(self) -> int:
        return 1000 if "f" in self._names else 1

    def read(self, text: str) -> str | None:
        """How many of the finest unit, as digits, or None where the text is none of these."""
        found = self._regex.fullmatch(text)
        if found is None:
            return None
        parts = found.groupdict()
        try:
            count = self._count(parts)
        except ValueError:
            return None
        if self.offsets:
            if parts["z"] not in self.offsets:
                return None
            count = count * self._room + self.offsets.index(parts["z"])
        return str(count)

    def _count(self, parts: dict[str, str]) -> int:
        def number(name: str) -> int:
            return int(parts.get(name) or 0)

        names = self._names
        if "q" in names:
            return self._year(parts) * 4 + number("q") - 1
        if "V" in names:
            return dt.date.fromisocalendar(number("G"), number("V"), 1).toordinal() // 7
        month = self._month(parts)
        if names & {"m", "b", "B"} and "d" not in names:
            return self._year(parts) * 12 + month - 1
        days = 0
        if "d" in names:
            days = dt.date(self._year(parts), month, number("d")).toordinal()
            if not names & {"H", "k", "I", "l"}:
                return days
        elif "N" in names and names & {"H", "k"}:
            days = number("N")
        hours = number("H") + number("k") + (number("I") + number("l")) % 12
        hours += 12 * ((parts.get("p") or parts.get("P") or "").upper() == "PM")
        minutes = number("M")
        if "N" in names and not names & {"H", "k"}:
            hours, minutes = (number("N"), minutes) if "M" in names else (0, number("N"))
        minutes += 60 * (hours + 24 * days)
        if "S" not in names:
            return minutes
        seconds = minutes * 60 + number("S")
        return seconds * self._ticks_a_second + number("f")

    @staticmethod
    def _year(parts: dict[str, str]) -> int:
        if parts.get("y"):
            short = int(parts["y"])
            return short + (1900 if short >= 69 else 2000)
        return int(parts["Y"])

    @staticmethod
    def _month(parts: dict[str, str]) -> int:
        if parts.get("b"):
            return _SHORT.index(parts["b"].lower())
        if parts.get("B"):
            return _MONTHS.index(parts["B"].lower())
        return int(parts.get("m") or 1)

    def write(self, plain: str) -> str:
        """The text of a count; one beyond the calendar stays at its end."""
        count, place = divmod(max(int(plain), 0), self._room)
        fields = self._split(count)
        if self.offsets:
            fields["z"] = self.offsets[min(place, len(self.offsets) - 1)]
        return _DIRECTIVE.sub(lambda found: fields[found[1][0]], self.pattern)

    def _split(self, count: int) -> dict[str, str]:
        names = self._names
        if "q" in names:
            return self._with_year(count // 4, {"q": str(count % 4 + 1)})
        if "V" in names:
            year, week, _ = dt.date.fromordinal(count * 7 + 1).isocalendar()
            return {"G": f"{year:04}", "V": f"{week:02}"}
        if names & {"m", "b", "B"} and "d" not in names:
            return self._with_year(count // 12, self._month_fields(count % 12 + 1))
        if "d" in names and not names & {"H", "k", "I", "l"}:
            return self._day(count)
        return self._clock(count)

    def _clock(self, count: int) -> dict[str, str]:
        fields: dict[str, str] = {}
        if "f" in self._names:
            count, rest = divmod(count, 1000)
            fields["f"] = f"{rest:03}"
        if "S" in self._names:
            count, rest = divmod(count, 60)
            fields["S"] = f"{rest:02}"
            if "M" not in self._names:
                return fields | {"N": str(count)}
        hours, minutes = divmod(count, 60)
        fields["M"] = f"{minutes:02}"
        if not self._names & {"H", "k", "I", "l"}:
            return fields | {"N": str(hours)}
        days, hour = divmod(hours, 24)
        of_twelve = (hour + 11) % 12 + 1
        half = "PM" if hour >= 12 else "AM"
        fields |= {"H": f"{hour:02}", "k": str(hour), "I": f"{of_twelve:02}", "l": str(of_twelve)}
        fields |= {"p": half, "P": half.lower(), "N": str(days)}
        return fields | (self._day(days) if "d" in self._names else {})

    def _day(self, ordinal: int) -> dict[str, str]:
        day = dt.date.fromordinal(min(max(ordinal, 1), dt.date.max.toordinal()))
        return self._with_year(day.year, self._month_fields(day.month) | {"d": f"{day.day:02}"})

    @staticmethod
    def _month_fields(month: int) -> dict[str, str]:
        return {"m": f"{month:02}", "b": _SHORT[month].title(), "B": _MONTHS[month].title()}

    @staticmethod
    def _with_year(year: int, fields: dict[str, str]) -> dict[str, str]:
        return fields | {"Y": f"{year:04}", "y": f"{year % 100:02}"}


CLOCKS = (
    *("%H:%M:00", "%H:%M:%S", "%H:%M", "%k:%M:00", "%k:%M:%S", "%k:%M", "%H:%M:%S.%f"),
    *("%I:%M %p", "%l:%M %p", "%I:%M%p", "%l:%M%p", "%I:%M:%S %p", "%l:%M:%S %p"),
    *("%I:%M %P", "%l:%M %P", "%l:%M%P", "%I:%M%P"),
    *("%N:%M:%S", "%N:%S", "%N days %H:%M:%S"),
    *("%YQ%q", "%Y-Q%q", "%Y Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y", "%Yq%q", "%Y/Q%q"),
    *("%G-W%V", "%GW%V", "W%V-%G", "W%V %G", "%G W%V"),
    *("%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y", "%m.%Y", "%YM%m", "%b %Y", "%B %Y", "%b-%y", "%b-%Y"),
    *("%Y %b", "%Y-%b", "%b %y", "%B-%y", "%G-%V"),
)
"""Patterns of ordered quantities, the first that fits is taken."""
DAYS_AND_MOMENTS = tuple(
    f"{day}{clock}"
    for day in ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%b-%Y", "%d %b %Y")
    for clock in ("", " %H:%M:%S", "T%H:%M:%S", " %H:%M", "T%H:%M")
)
"""Patterns of days and moments among words, or with several offsets."""
