"""How columns lie in memory: the Arrow types a schema may name, and their plain form."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import SchemaError

_PLAIN = {
    str(kind): kind
    for kind in (
        pa.string(),
        pa.bool_(),
        pa.int8(),
        pa.int16(),
        pa.int32(),
        pa.int64(),
        pa.uint8(),
        pa.uint16(),
        pa.uint32(),
        pa.uint64(),
        pa.float32(),
        pa.float64(),
        pa.date32(),
        pa.date64(),
    )
}
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=([^\]]+))?\]")
_DECIMAL = re.compile(r"decimal128\((\d{1,2}), (\d{1,2})\)")


def arrow_type(storage: str) -> pa.DataType:
    """The Arrow type that `Column.storage` names, such as `int64` or `timestamp[us, tz=UTC]`.

    Raises:
        SchemaError: no table can hold a column of that type.
    """
    if storage in _PLAIN:
        return _PLAIN[storage]
    if match := _TIMESTAMP.fullmatch(storage):
        return pa.timestamp(match[1], tz=match[2])
    if match := _DECIMAL.fullmatch(storage):
        precision, scale = int(match[1]), int(match[2])
        if 1 <= precision <= 38 and scale <= precision:
            return pa.decimal128(precision, scale)
    raise SchemaError(
        f"Storage {storage!r} is not one of {', '.join(_PLAIN)}, timestamp[UNIT], "
        "timestamp[UNIT, tz=ZONE] (UNIT s, ms, us or ns) or decimal128(PRECISION, SCALE)."
    )


def is_number(kind: pa.DataType) -> bool:
    """Whether cells of this Arrow type are numbers."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def is_supported(kind: pa.DataType) -> bool:
    """Whether a column of this plain Arrow type can be learned."""
    if pa.types.is_decimal128(kind):
        return bool(kind.scale >= 0)
    return str(kind) in _PLAIN or bool(pa.types.is_timestamp(kind))


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same cells without encodings: no dictionaries, no large or view strings, NaN as null.

    A column of the null type comes out as strings, half floats as floats, narrow decimals as
    decimal128; every other type stays as it is.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_decimal(kind) and kind.precision <= 38 and kind.scale >= 0:
        return column.cast(pa.decimal128(kind.precision, kind.scale))
    if pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column
