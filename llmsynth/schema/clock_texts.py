"""Days and moments written as text: strftime formats recognised, read and written.

Formats made only of %Y %m %d %H %M %S %f %z and literals work on whole columns at once; any
other format goes through Python's strptime and strftime cell by cell.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

DAY_FORMATS = ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y")
"""Day formats in order of preference: the first that fits every cell wins."""
MOMENT_FORMATS = tuple(
    f"{day}{mark}{clock}{zone}"
    for day, mark, clock, zone in product(
        DAY_FORMATS, "T ", ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f"), ("", "%z")
    )
)
MORE_DAY_FORMATS = (
    *("%d-%b-%Y", "%d %b %Y", "%d-%b-%y", "%d %b %y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y"),
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d/%b/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d"),
)
"""Further day formats, each taken only where it gives every text back as it came."""
MORE_MOMENT_FORMATS = tuple(
    f"{day} {clock}"
    for day in MORE_DAY_FORMATS
    for clock in ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
) + tuple(f"{day} {clock}" for day in DAY_FORMATS for clock in ("%I:%M %p", "%I:%M:%S %p"))
WHOLE_DAY = "%Y%m%d"
ALL_FORMATS = (
    *DAY_FORMATS, *MOMENT_FORMATS, WHOLE_DAY, *MORE_DAY_FORMATS, *MORE_MOMENT_FORMATS
)  # fmt: skip
_FIELDS = {
    "%Y": r"(?P<Y>[0-9]{4})",
    "%m": r"(?P<m>[0-9]{1,2})",
    "%d": r"(?P<d>[0-9]{1,2})",
    "%H": r"(?P<H>[0-9]{1,2})",
    "%M": r"(?P<M>[0-9]{2})",
    "%S": r"(?P<S>[0-9]{2})",
    "%f": r"(?P<f>[0-9]{1,9})",
    "%z": r"(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})",
}
_DEFAULTS = {"Y": 1970, "m": 1, "d": 1, "H": 0, "M": 0, "S": 0}
_LIMITS = {"Y": (1, 9999), "m": (1, 12), "d": (1, 31), "H": (0, 23), "M": (0, 59), "S": (0, 59)}
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FIRST_SECOND = int(dt.datetime(1, 1, 1, tzinfo=dt.UTC).timestamp())
_LAST_SECOND = int(dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC).timestamp())

Integers = npt.NDArray[np.int64]


def day_format(texts: pa.Array) -> str | None:
    """The preferred day format that fits every text, or None."""
    return _written_as_it_came(texts, _first_fitting(texts, DAY_FORMATS)) or _first_exact(
        texts, MORE_DAY_FORMATS
    )


def moment_format(texts: pa.Array) -> str | None:
    """The preferred moment format that fits every text to the microsecond, or None."""
    return _written_as_it_came(texts, _first_fitting(texts, MOMENT_FORMATS)) or _first_exact(
        texts, MORE_MOMENT_FORMATS
    )


def whole_day_format(texts: pa.Array) -> str | None:
    """The format of whole numbers such as 20240320, where each is a day of this or last century."""
    if not pc.all(pc.match_substring_regex(texts, "^(?:19|20)[0-9]{6}$")).as_py():
        return None
    return None if parse_moments(texts, WHOLE_DAY).null_count else WHOLE_DAY


def _written_as_it_came(texts: pa.Array, pattern: str | None) -> str | None:
    """The pattern, or the same without zeros ahead where only that gives every text back."""
    if pattern is None or "%f" in pattern or "%z" in pattern:
        return pattern
    loose = [pattern.replace("%H", "%-H")]
    loose += [p.replace("%m", "%-m").replace("%d", "%-d") for p in (pattern, *loose)]
    moments = parse_moments(texts, pattern)
    for candidate in (pattern, *loose):
        if pc.all(pc.equal(format_moments(moments, candidate), texts)).as_py():
            return candidate
    return pattern


def _first_exact(texts: pa.Array, patterns: tuple[str, ...]) -> str | None:
    first = texts[0].as_py()
    for pattern in patterns:
        for candidate in (pattern, pattern.replace("%d", "%-d").replace("%m", "%-m")):
            moment = _strptime(first, candidate.replace("%-", "%"))
            if moment is None or moment.strftime(candidate) != first:
                continue
            moments = parse_moments(texts, candidate)
            if moments.null_count == 0 and format_moments(moments, candidate).equals(texts):
                return candidate
    return None


def parse_moments(texts: pa.Array, pattern: str, *, unit: str = "us") -> pa.Array:
    """Read texts as `timestamp[unit]` in the given strftime format, in UTC where it has `%z`.

    A cell that does not fit, that no calendar holds, or that `unit` would round becomes null.
    A fraction `.%f` may be left out, and takes one to nine digits.
    """
    pattern = pattern.replace("%-", "%")
    if _is_vectorised(pattern):
        seconds, nanos, valid = _fields(texts, pattern)
    else:
        seconds, nanos, valid = _slow_fields(texts, pattern)
    step = 10**9 // _PER_SECOND[unit]
    valid &= (nanos % step == 0) & (seconds >= _FIRST_SECOND) & (seconds <= _LAST_SECOND)
    if unit == "ns":
        valid &= np.abs(seconds) < 2**63 // 10**9
    ticks = np.where(valid, seconds, 0) * _PER_SECOND[unit] + nanos // step
    return pa.array(ticks, mask=~valid).cast(pa.timestamp(unit))


def format_moments(moments: pa.Array, pattern: str, *, fraction_digits: int = 6) -> pa.Array:
    """Write timestamps as texts; zoned ones as UTC, `%z` as `+00:00`."""
    if not _is_vectorised(pattern.replace("%-", "%")):
        return _slow_format(moments, pattern)
    per_second = _PER_SECOND[moments.type.unit]
    ticks = np.asarray(pc.fill_null(moments.cast(pa.int64()), 0))
    seconds, rest = np.divmod(ticks, per_second)
    nanos = rest * (10**9 // per_second)
    values = _calendar(seconds)
    values["f"] = nanos // 10 ** (9 - fraction_digits)
    widths = {"Y": 4, "f": fraction_digits}
    pieces: list[pa.Array | pa.Scalar] = []
    for piece in re.split(r"(%-?[YmdHMSfz])", pattern):
        if piece == "%z":
            pieces.append(pa.scalar("+00:00"))
        elif piece.startswith("%") and piece != "%%":
            digits = pa.array(values[piece[-1]]).cast(pa.string())
            width = 1 if "-" in piece else widths.get(piece[-1], 2)
            pieces.append(pc.utf8_lpad(digits, width, padding="0"))
        elif piece:
            pieces.append(pa.scalar(piece))
    texts = pc.binary_join_element_wise(*pieces, "")
    return pc.if_else(moments.is_valid(), texts, pa.scalar(None, pa.string()))


def _first_fitting(texts: pa.Array, patterns: tuple[str, ...]) -> str | None:
    first = texts[0].as_py()
    for pattern in patterns:
        # One text rules out most formats at a small part of the price of a column.
        if _python_regex(pattern).match(first) and not parse_moments(texts, pattern).null_count:
            return pattern
    return None


@cache
def _python_regex(pattern: str) -> re.Pattern[str]:
    return re.compile(_regex(pattern), re.ASCII)


def _is_vectorised(pattern: str) -> bool:
    directives = re.findall(r"%.", pattern)
    known = all(directive in _FIELDS for directive in directives)
    return known and len(set(directives)) == len(directives)


def _regex(pattern: str) -> str:
    out = re.escape(pattern).replace(r"\.%f", rf"(?:\.{_FIELDS['%f']})?")
    for directive, field in _FIELDS.items():
        out = out.replace(directive, field)
    return f"^{out}$"


def _fields(texts: pa.Array, pattern: str) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
    found = pc.extract_regex(texts, _regex(pattern))
    valid = np.asarray(found.is_valid())
    present = dict(zip((field.name for field in found.type), found.flatten(), strict=True))
    values: dict[str, Integers] = {}
    for name, default in _DEFAULTS.items():
        values[name] = _integers(present.get(name), default, len(texts))
        low, high = _LIMITS[name]
        valid &= (values[name] >= low) & (values[name] <= high)
    days, is_real = _days(values["Y"], values["m"], values["d"])
    seconds = days * 86400 + values["H"] * 3600 + values["M"] * 60 + values["S"]
    fraction = present.get("f")
    if fraction is not None:
        fraction = pc.utf8_rpad(fraction, 9, padding="0")
    offset, is_offset = _offset(present.get("z"), len(texts))
    return seconds - offset, _integers(fraction, 0, len(texts)), valid & is_real & is_offset


def _integers(field: pa.Array | None, default: int, length: int) -> Integers:
    if field is None:
        return np.full(length, default, dtype=np.int64)
    return np.asarray(pc.fill_null(field.cast(pa.int64()), default))


def _days(year: Integers, month: Integers, day: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    months = (year - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]")
    moment = first + (day - 1)
    is_real = moment.astype("datetime64[M]").astype(np.int64) == months
    return moment.astype(np.int64), is_real


def _offset(zone: pa.Array | None, length: int) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Seconds east of UTC, and whether each offset is below a day."""
    if zone is None:
        return np.zeros(length, dtype=np.int64), np.ones(length, dtype=np.bool_)
    digits = pc.replace_substring(pc.replace_substring(zone, "Z", "+0000"), ":", "")
    size = _integers(pc.utf8_slice_codeunits(digits, 1, 5), 0, length)
    hours, minutes = np.divmod(size, 100)
    sign = np.where(np.asarray(pc.fill_null(pc.starts_with(digits, "-"), False)), -1, 1)
    return sign * (hours * 3600 + minutes * 60), (hours <= 23) & (minutes <= 59)


def _calendar(seconds: Integers) -> dict[str, Integers]:
    days, clock = np.divmod(seconds, 86400)
    moment = days.astype("datetime64[D]")
    months = moment.astype("datetime64[M]")
    month_count = months.astype(np.int64)
    return {
        "Y": 1970 + month_count // 12,
        "m": 1 + month_count % 12,
        "d": 1 + (moment - months.astype("datetime64[D]")).astype(np.int64),
        "H": clock // 3600,
        "M": clock // 60 % 60,
        "S": clock % 60,
    }


def _slow_fields(texts: pa.Array, pattern: str) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
    moments = [None if text is None else _strptime(text, pattern) for text in texts.to_pylist()]
    valid = np.array([moment is not None for moment in moments], dtype=np.bool_)
    whole = [0 if m is None else int(m.replace(microsecond=0).timestamp()) for m in moments]
    nanos = [0 if m is None else m.microsecond * 1000 for m in moments]
    return np.array(whole, dtype=np.int64), np.array(nanos, dtype=np.int64), valid


def _strptime(text: str, pattern: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.strptime(text, pattern)
    except ValueError:
        return None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment


def _slow_format(moments: pa.Array, pattern: str) -> pa.Array:
    local = moments.cast(pa.timestamp("us", tz="UTC")).to_pylist()
    return pa.array(
        [None if moment is None else moment.strftime(pattern) for moment in local], pa.string()
    )
