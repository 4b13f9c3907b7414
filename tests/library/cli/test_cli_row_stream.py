"""Rows on their way into a file: whole, cut short, or none at all."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from llmsynth.cli.row_stream import check_file, shortfall, stream_rows
from llmsynth.errors import SamplingError, TableError
from llmsynth.generation.generator import SamplingSettings
from llmsynth.generation.sample import SampleReport
from llmsynth.schema import NumberColumn, TableSchema
from llmsynth.tables import read_table

BLOCK = 40_000


@dataclass
class CountingSynthesizer:
    """Draws the numbers from 0 on in blocks; may drop the odd ones or press Ctrl-C."""

    drops: bool = False
    pressed_after: int = -1
    pressed_twice: bool = False
    schema_: TableSchema = field(
        default_factory=lambda: TableSchema(columns=(NumberColumn(name="n", maximum="999999"),))
    )

    def iter_sample(self, n: int, **_: object) -> tuple[object, Iterator[pa.Table]]:
        report = SampleReport(asked=n)
        return SimpleNamespace(report=report), self._chunks(n, report)

    def _chunks(self, n: int, report: SampleReport) -> Iterator[pa.Table]:
        for index, first in enumerate(range(0, n, BLOCK)):
            numbers = range(first, min(first + BLOCK, n), 2 if self.drops else 1)
            asked = min(BLOCK, n - first)
            report.rows += len(numbers)
            if self.drops:
                report.dropped["odd"] = report.dropped.get("odd", 0) + asked - len(numbers)
            if index == self.pressed_after:
                for _ in range(1 + self.pressed_twice):
                    signal.raise_signal(signal.SIGINT)
            yield pa.table({"n": pa.array(numbers, pa.int64())})


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _stream(made: CountingSynthesizer, rows: int, out: Path) -> SampleReport:
    return stream_rows(cast("Any", made), rows, out, settings=SamplingSettings())


@pytest.mark.parametrize("name", ["n.csv", "n.csv.gz", "n.parquet", "n.arrow"])
def test_every_row_reaches_the_file_in_order(tmp_path: Path, name: str) -> None:
    report = _stream(CountingSynthesizer(), 100_000, tmp_path / name)
    cells = read_table(tmp_path / name)["n"].cast(pa.int64()).to_pylist()
    assert cells == list(range(100_000))
    assert (report.rows, report.is_partial) == (100_000, False)


@pytest.mark.parametrize("name", ["n.csv", "n.csv.gz", "n.parquet", "n.arrow"])
def test_the_first_ctrl_c_ends_the_file_well(tmp_path: Path, name: str) -> None:
    report = _stream(CountingSynthesizer(pressed_after=1), 200_000, tmp_path / name)
    assert report.stopped == "interrupted"
    assert read_table(tmp_path / name).num_rows == report.rows == 2 * BLOCK
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert shortfall(report) == "120,000 rows not begun (Ctrl-C)"


def test_ctrl_c_after_the_last_row_takes_nothing_away(tmp_path: Path) -> None:
    report = _stream(CountingSynthesizer(pressed_after=0), 10, tmp_path / "n.csv")
    assert (report.rows, report.stopped) == (10, "complete")


def test_the_second_ctrl_c_interrupts_and_leaves_no_final_file(tmp_path: Path) -> None:
    made = CountingSynthesizer(pressed_after=2, pressed_twice=True)
    with pytest.raises(KeyboardInterrupt):
        _stream(made, 200_000, tmp_path / "n.csv")
    assert not (tmp_path / "n.csv").exists()


def test_rows_given_up_are_counted_by_reason(tmp_path: Path) -> None:
    report = _stream(CountingSynthesizer(drops=True), 10, tmp_path / "n.csv")
    assert read_table(tmp_path / "n.csv")["n"].to_pylist() == ["0", "2", "4", "6", "8"]
    assert shortfall(report) == "5 rows given up (odd)"


def test_no_row_at_all_is_an_error_and_no_file(tmp_path: Path) -> None:
    class Barren(CountingSynthesizer):
        def _chunks(self, n: int, report: SampleReport) -> Iterator[pa.Table]:
            report.stopped = "time"
            yield from ()

    with pytest.raises(SamplingError, match="None of 9 rows came about: 9 rows not begun"):
        _stream(Barren(), 9, tmp_path / "n.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["n.xlsx", "gone/n.csv", "folder.csv"])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match=name):
        check_file(tmp_path / name)
