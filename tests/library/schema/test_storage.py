"""Arrow types by name, and columns without encodings."""

from __future__ import annotations

import pyarrow as pa
import pytest

from llmsynth.errors import SchemaError
from llmsynth.schema.storage import arrow_type, is_supported, plain

TYPES = [
    pa.string(),
    pa.bool_(),
    pa.int64(),
    pa.uint8(),
    pa.float32(),
    pa.float64(),
    pa.date32(),
    pa.date64(),
    pa.timestamp("ns"),
    pa.timestamp("us", tz="Europe/Berlin"),
    pa.decimal128(38, 4),
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_a_type_is_found_by_its_name(kind: pa.DataType) -> None:
    assert arrow_type(str(kind)) == kind
    assert is_supported(kind)


@pytest.mark.parametrize(
    "storage", ["text", "timestamp[h]", "decimal128(39, 2)", "decimal128(2, 3)", "list<int64>", ""]
)
def test_an_unknown_storage_is_named(storage: str) -> None:
    with pytest.raises(SchemaError, match="Storage '"):
        arrow_type(storage)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int8()), pa.binary(), pa.duration("s"), pa.time32("s")]
)
def test_types_without_a_kind_are_not_supported(kind: pa.DataType) -> None:
    assert not is_supported(kind)


def test_plain_undoes_encodings() -> None:
    halves = pa.chunked_array([pa.array([1.5, float("nan")], pa.float32()).cast(pa.float16())])
    assert plain(halves).to_pylist() == [1.5, None]
    views = pa.chunked_array([pa.array(["a"], pa.string_view())])
    assert plain(views).type == pa.string()
