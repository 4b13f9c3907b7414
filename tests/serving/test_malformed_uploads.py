"""Files that are no tables, of every kind we could think of: each is refused with a reason."""

from __future__ import annotations

import gzip
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from llmsynth_serving.objects.ingest import ingest

from llmsynth.errors import LlmsynthError

LIMITS = {"max_bytes": 200_000, "max_rows": 5_000, "max_columns": 50}
Maker = Callable[[random.Random], bytes]


def lines(dice: random.Random, rows: int = 5, columns: int = 3) -> list[list[str]]:
    header = [f"c{number}" for number in range(columns)]
    return [header, *([str(dice.randint(0, 99)) for _ in header] for _ in range(rows))]


def as_csv(rows: list[list[str]]) -> bytes:
    return "\n".join(",".join(row) for row in rows).encode() + b"\n"


def ragged(dice: random.Random) -> bytes:
    rows = lines(dice)
    rows[dice.randint(2, 5)].extend(["9"] * dice.randint(1, 4))
    return as_csv(rows)


def with_nul(dice: random.Random) -> bytes:
    data = bytearray(as_csv(lines(dice)))
    data[dice.randrange(len(data))] = 0
    return bytes(data)


def noise(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randint(0, 2_000))


def cut_gzip(dice: random.Random) -> bytes:
    whole = gzip.compress(as_csv(lines(dice, rows=50)))
    return whole[: dice.randint(3, len(whole) - 1)]


def gzip_bomb(dice: random.Random) -> bytes:
    return gzip.compress(b"a\n" + b"1\n" * dice.randint(150_000, 3_000_000))


def zip_bomb(dice: random.Random) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/passwd", b"0" * dice.randint(1, 3_000_000))
    return out.getvalue()


def too_wide(dice: random.Random) -> bytes:
    return as_csv(lines(dice, rows=2, columns=dice.choice((51, 2_001, 10_000))))


def too_long(dice: random.Random) -> bytes:
    return as_csv(lines(dice, rows=dice.randint(5_001, 9_000), columns=1))


def false_parquet(dice: random.Random) -> bytes:
    return b"PAR1" + noise(dice) + struct.pack("<I", dice.randint(0, 1 << 31)) + b"PAR1"


def false_arrow(dice: random.Random) -> bytes:
    return b"ARROW1\0\0" + noise(dice) + b"ARROW1"


def broken_encoding(dice: random.Random) -> bytes:
    return "ä,ö\n1,2\n".encode("utf-16")[: dice.randint(2, 15)]


def header_only(dice: random.Random) -> bytes:
    return as_csv(lines(dice, rows=0, columns=dice.randint(1, 40)))


def open_quote(dice: random.Random) -> bytes:
    rows = lines(dice)
    rows[2][dice.randrange(3)] = '"never closed'
    return as_csv(rows)


def damaged_zlib(dice: random.Random) -> bytes:
    return b"\x1f\x8b\x08\x00" + zlib.compress(noise(dice))


def formulas(dice: random.Random) -> bytes:
    rows = lines(dice)
    rows[1][0] = dice.choice(("=cmd|'/C calc'!A0", "@SUM(1)", "+1+1", "-2+3", "../../x", "C:\\x"))
    return as_csv(rows)


NEVER_A_TABLE: list[Maker] = [
    ragged, cut_gzip, gzip_bomb, zip_bomb, too_wide, too_long, false_parquet, false_arrow,
    header_only, damaged_zlib,
]  # fmt: skip
PERHAPS_A_TABLE: list[Maker] = [with_nul, noise, broken_encoding, open_quote, formulas]


@pytest.mark.parametrize("make", NEVER_A_TABLE)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_no_table_is_refused_in_words(make: Maker, seed: int, tmp_path: Path) -> None:
    source = tmp_path / "upload"
    source.write_bytes(make(random.Random(seed)))
    with pytest.raises(LlmsynthError) as caught:
        ingest(source, tmp_path / "table.parquet", **LIMITS)
    assert len(caught.value.message) > 10


@pytest.mark.parametrize("make", PERHAPS_A_TABLE)
@pytest.mark.parametrize("seed", range(8))
def test_what_may_be_a_table_is_one_or_is_refused(make: Maker, seed: int, tmp_path: Path) -> None:
    source = tmp_path / "upload"
    source.write_bytes(make(random.Random(seed)))
    try:
        words = f"{ingest(source, tmp_path / 'table.parquet', **LIMITS)['num_rows']} rows were read"
    except LlmsynthError as error:
        words = error.message
    assert len(words) > 10


def test_formulas_and_paths_are_text_like_any_other(tmp_path: Path) -> None:
    source = tmp_path / "upload"
    source.write_bytes(b"name,note\nAnn,=1+1\nBob,../../etc/passwd\n")
    found = ingest(source, tmp_path / "table.parquet", **LIMITS)
    assert found["num_rows"] == 2


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\x", "a/b", "..", "%2e%2e"])
def test_a_table_may_be_called_anything_and_lies_where_we_say(office: Any, name: str) -> None:
    made = office.upload(b"a,b\n1,x\n2,y\n", name=name)
    assert made.status_code == 201
    assert made.json()["name"] == name
    path = f"/v1/tables/{made.json()['id']}/download"
    sent = office.client.get(path, headers=office.headers())
    disposition = sent.headers["content-disposition"]
    assert "/" not in disposition
    assert "\\" not in disposition


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_thousand_malformed_uploads_are_refused_with_a_reason(office: Any) -> None:
    dice = random.Random(6)
    makers = NEVER_A_TABLE + PERHAPS_A_TABLE
    for number in range(2_000):
        make = makers[number % len(makers)]
        answer = office.upload(make(dice))
        expected = {400, 413} if make in NEVER_A_TABLE else {201, 400, 413}
        if make in (gzip_bomb, too_wide, too_long):
            expected = {201, 400, 413}  # this service's limits are wider than those above
        assert answer.status_code in expected, (number, make.__name__, answer.text)
        if answer.status_code != 201:
            assert len(answer.json()["detail"]) > 10
    assert office.client.get("/ready").status_code == 200
