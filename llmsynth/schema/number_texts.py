"""Numbers written as text: which texts are numbers, and the decimal grid they lie on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

WHOLE = r"^(?:0|-?[1-9][0-9]{0,17})$"
DECIMAL = r"^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?$"
_PARTS = r"^-?(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?(?:[eE][+]?(?P<exponent>-?[0-9]+))?$"
_LARGEST_SCALE = 400
_DECIMAL128_DIGITS = 38
_DIGITS_A_DOUBLE_ALWAYS_KEEPS = 15


@dataclass(frozen=True, kw_only=True)
class DecimalGrid:
    """What a set of numbers has in common: Arrow type, decimal places and bounds."""

    storage: str
    scale: int
    fixed_scale: bool
    minimum: str
    maximum: str


def are_whole(texts: pa.Array) -> bool:
    """Whether every text is an integer that survives int64: no plus, no leading zero, no -0."""
    return _all_match(texts, WHOLE)


def decimal_grid(texts: pa.Array) -> DecimalGrid | None:
    """The grid that decimal texts lie on, or None where a text is no number.

    Texts go to `double` when each comes back from it unchanged in value, else to decimal128
    when 38 digits hold them all; None when neither keeps every digit. Integers that `are_whole`
    refuses are names, not numbers: at least one text needs a point or an exponent.
    """
    if not _all_match(texts, DECIMAL) or _all_match(texts, r"^-?[0-9]+$"):
        return None
    scale, fixed = _scale(texts)
    if scale > _LARGEST_SCALE:
        return None
    doubles = texts.cast(pa.float64())
    if _survive(texts, doubles):
        return float_grid(doubles, scale=scale, fixed_scale=fixed)
    return _exact_grid(texts, scale, fixed)


def number_grid(plain: pa.Array) -> DecimalGrid | None:
    """The grid that plain decimals such as `-1234.5` lie on; None where no type holds them."""
    if not are_whole(plain):
        return decimal_grid(plain) or _exact_grid(plain, 0, False)
    ends = pc.min_max(plain.cast(pa.int64()))
    return DecimalGrid(
        storage="int64",
        scale=0,
        fixed_scale=False,
        minimum=str(ends["min"]),
        maximum=str(ends["max"]),
    )


def float_grid(
    values: pa.Array, *, scale: int | None = None, fixed_scale: bool = False
) -> DecimalGrid:
    """The grid that finite floats lie on; the scale is that of their shortest decimal texts."""
    if scale is None:
        scale = _scale(values.cast(pa.string()))[0]
    ends = pc.min_max(values)
    return DecimalGrid(
        storage=str(values.type),
        scale=scale,
        fixed_scale=fixed_scale and scale > 0,
        minimum=plain_decimal(ends["min"].cast(pa.string()).as_py()),
        maximum=plain_decimal(ends["max"].cast(pa.string()).as_py()),
    )


def plain_decimal(text: str) -> str:
    """Decimal text without exponent and without a negative zero."""
    number = Decimal(text)
    return format(abs(number) if number.is_zero() else number, "f")


def _all_match(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())


def decimal_places(texts: pa.Array) -> pa.Array:
    """Decimal places that each decimal text needs, below 0 for `1e3`; int64."""
    places, _, shift = _parts(texts)
    return pc.subtract(places, shift)


def _parts(texts: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Digits behind the point, whether there is an exponent, and the exponent."""
    parts = pc.extract_regex(texts, _PARTS)
    places = pc.binary_length(pc.struct_field(parts, "fraction")).cast(pa.int64())
    exponents = pc.struct_field(parts, "exponent")
    has_exponent = pc.not_equal(exponents, "")
    return places, has_exponent, pc.if_else(has_exponent, exponents, "0").cast(pa.int64())


def _scale(texts: pa.Array) -> tuple[int, bool]:
    """Most decimal places of any text, and whether all were written with just as many."""
    places, has_exponent, shift = _parts(texts)
    scale = max(0, pc.max(pc.subtract(places, shift)).as_py())
    fixed = not pc.any(has_exponent).as_py() and pc.min(places).as_py() == scale
    return scale, fixed and scale > 0


def _survive(texts: pa.Array, doubles: pa.Array) -> bool:
    if not pc.all(pc.is_finite(doubles)).as_py():
        return False
    digits = pc.replace_substring_regex(texts, r"[eE].*$", "")
    digits = pc.utf8_ltrim(pc.replace_substring_regex(digits, r"[-.]", ""), characters="0")
    # Below 1e-290 a double may be denormal and hold fewer digits than usual.
    small = pc.less(pc.abs(doubles), 1e-290)
    doubtful = pc.or_(pc.greater(pc.binary_length(digits), _DIGITS_A_DOUBLE_ALWAYS_KEEPS), small)
    return all(
        Decimal(text) == Decimal(repr(value))
        for text, value in zip(
            texts.filter(doubtful).to_pylist(), doubles.filter(doubtful).to_pylist(), strict=True
        )
    )


def _exact_grid(texts: pa.Array, scale: int, fixed_scale: bool) -> DecimalGrid | None:
    if scale > _DECIMAL128_DIGITS:
        return None
    kind = pa.decimal128(_DECIMAL128_DIGITS, scale)
    try:
        ends = pc.min_max(texts.cast(kind))
    except pa.ArrowInvalid:
        return None
    return DecimalGrid(
        storage=str(kind),
        scale=scale,
        fixed_scale=fixed_scale,
        minimum=plain_decimal(str(ends["min"].as_py())),
        maximum=plain_decimal(str(ends["max"].as_py())),
    )
