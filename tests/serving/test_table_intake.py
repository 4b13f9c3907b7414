from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from llmsynth_serving.accounts.keys import Caller, create_key, find_caller
from llmsynth_serving.database.records import ApiKey, AuditEntry, Project, Record
from llmsynth_serving.database.records import Table as TableRecord
from llmsynth_serving.objects import ingest, tables
from llmsynth_serving.objects.refusals import (
    ChangedMeanwhileError,
    MissingObjectError,
    QuotaError,
    RefusedInputError,
)
from llmsynth_serving.service import Service
from llmsynth_serving.settings import ServiceSettings
from sqlalchemy import select

from llmsynth import demo_tables
from llmsynth.errors import TableError
from llmsynth.tables import parquet_shards
from llmsynth.tables.csv_pieces import csv_pieces

CSV = b"name,age,zip\nAnn,31,01234\nBob,,99999\nEve,45,00001\n"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service.open(ServiceSettings(home=tmp_path, max_upload_bytes=100_000))
    Record.metadata.create_all(service.database.engine)
    with service.database.session() as session:
        session.add_all([Project(id="p1", name="one"), Project(id="p2", name="two")])
    yield service
    service.close()


def caller_of(service: Service, project: str = "p1") -> Caller:
    with service.database.session() as session:
        _, text = create_key(session, project_id=project, name="k", scope="write")
        caller = find_caller(session, text)
    assert caller is not None
    return caller


def taken_in(service: Service, data: bytes, caller: Caller | None = None) -> TableRecord:
    with tables.arriving_file(service) as path:
        path.write_bytes(data)
        return tables.take_in(service, caller or caller_of(service), path, name="people")


@pytest.mark.parametrize("data", [CSV, gzip.compress(CSV)], ids=["plain", "gzip"])
def test_an_upload_becomes_typed_parquet_with_a_schema_and_a_profile(
    service: Service, data: bytes
) -> None:
    table = taken_in(service, data)
    assert (table.num_rows, table.num_columns) == (3, 3)
    rows = tables.preview(service, table, 2).to_pylist()
    assert [str(row["zip"]) for row in rows] == ["01234", "99999"]
    assert [row["age"] for row in rows] == [31, None]
    age = table.profile["columns"][1]
    assert (age["minimum"], age["maximum"], age["missing"]) == ("31", "45", 1)
    assert list((service.settings.work_folder / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"a,b\n", "no row follows"),
        (b"a,b\n1,2,3\n", "line 2"),
        (b"PK\x03\x04rest", "ZIP"),
        (gzip.compress(b"a\n" + b"1\n" * 200_000), "larger than"),
        (gzip.compress(CSV)[:30], "damaged"),
        (b"a,b\n1,\0\n", "NUL"),
    ],
    # Bytes would name themselves, and a gzip's bytes hold the second it was made in: two workers
    # that collect on either side of a second would not agree on the tests' names.
    ids=["empty", "head", "ragged", "zip", "bomb", "cut", "nul"],
)
def test_what_is_no_table_is_refused_with_a_reason(
    service: Service, data: bytes, reason: str
) -> None:
    with pytest.raises(RefusedInputError, match=reason) as caught:
        taken_in(service, data)
    assert "/uploads/" not in str(caught.value)
    assert list((service.settings.work_folder / "uploads").iterdir()) == []


def test_deleting_removes_the_file_and_leaves_a_proof(service: Service) -> None:
    caller = caller_of(service)
    table = taken_in(service, CSV, caller)
    removed = tables.delete(service, caller, table.id)
    assert removed == [table.path]
    assert not service.storage.exists(table.path)
    with service.database.session() as session:
        assert session.get(TableRecord, table.id) is None
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "delete")).one()
    assert entry.details == {"files": [table.path], "left": 0}
    assert entry.key_id == caller.key_id


def test_another_projects_table_is_not_there(service: Service) -> None:
    table = taken_in(service, CSV)
    with pytest.raises(MissingObjectError):
        tables.delete(service, caller_of(service, "p2"), table.id)
    assert service.storage.exists(table.path)


def test_a_schema_is_corrected_for_the_version_that_was_read(service: Service) -> None:
    caller = caller_of(service)
    table = taken_in(service, CSV, caller)
    text = '{"columns": [{"name": "name", "kind": "text"}]}'
    with pytest.raises(RefusedInputError, match="name, age, zip"):
        tables.correct_schema(service, caller, table.id, text, version=1)
    with pytest.raises(ChangedMeanwhileError):
        tables.correct_schema(service, caller, table.id, json.dumps(table.schema), version=2)


def test_storage_beyond_the_keys_quota_is_refused(service: Service) -> None:
    caller = caller_of(service)
    with service.database.session() as session:
        session.get(ApiKey, caller.key_id).max_storage_bytes = 10  # type: ignore[union-attr]
    with pytest.raises(QuotaError, match="10"):
        taken_in(service, CSV, caller)


@pytest.mark.parametrize("kind", ["csv", "csv with another encoding", "parquet"])
def test_a_large_file_is_read_in_pieces_to_the_same_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    source = tmp_path / "upload"
    if kind == "parquet":
        pq.write_table(demo_tables.load("adult").slice(0, 400), source, row_group_size=100)
    else:
        extra = "é".encode("cp1252") if "encoding" in kind else "é".encode()
        lines = [b"name,age,zip"] + [b"A%d%s,%d,0%04d" % (i, extra, i % 90, i) for i in range(400)]
        source.write_bytes(b"\n".join(lines) + b"\n")
    limits = {"max_bytes": 10**9, "max_rows": 1_000, "max_columns": 100}
    whole = ingest.ingest(source, tmp_path / "whole.parquet", **limits)
    monkeypatch.setattr(ingest, "WHOLE_BYTES", 0)
    small = {"missing": (), "piece_bytes": 500, "settings": None}
    monkeypatch.setattr(csv_pieces, "__kwdefaults__", small)
    monkeypatch.setattr(parquet_shards, "BATCH_ROWS", 64)
    assert ingest.ingest(source, tmp_path / "pieces.parquet", **limits) == whole
    tables_written = [pq.read_table(tmp_path / f"{n}.parquet") for n in ("whole", "pieces")]
    assert tables_written[0].equals(tables_written[1])
    with pytest.raises(TableError, match="399 are allowed"):
        ingest.ingest(source, tmp_path / "more.parquet", **limits | {"max_rows": 399})


def test_a_fault_in_a_large_file_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "WHOLE_BYTES", 0)
    source = tmp_path / "upload"
    source.write_bytes(b"a,b\n" + b"1,2\n" * 500 + b"3\n")
    with pytest.raises(TableError, match="line 502"):
        ingest.ingest(
            source, tmp_path / "t.parquet", max_bytes=10**6, max_rows=10**6, max_columns=9
        )
