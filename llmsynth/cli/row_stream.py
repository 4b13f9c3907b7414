"""Rows from a synthesizer to a file, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.cli.stop_request import StopRequest
from llmsynth.errors import SamplingError, TableError
from llmsynth.tables import TableWriter

if TYPE_CHECKING:
    from llmsynth.engines.engine_choice import EngineChoice
    from llmsynth.generation.generator import SamplingSettings
    from llmsynth.generation.sample import SampleReport
    from llmsynth.synthesizers import Synthesizer

_ROWS_AT_ONCE = 65_536
"""Rows written together; in Parquet they make a row group."""


def check_file(out: Path) -> None:
    """Refuse a file that cannot be written, before any work is spent on it.

    Raises:
        TableError: an unknown name ending, or no such folder.
    """
    TableWriter(out)
    if out.is_dir() or not out.parent.is_dir():
        raise TableError(
            f"{out}: the file cannot be written: "
            f"{'it is a folder' if out.is_dir() else f'there is no folder {out.parent}'}.",
            hint="Name another --out.",
        )


def stream_rows(
    synthesizer: Synthesizer,
    rows: int | None,
    out: Path,
    *,
    settings: SamplingSettings,
    where: Mapping[str, object] | None = None,
    given: Path | None = None,
    engine: EngineChoice | None = None,
) -> SampleReport:
    """Draw rows into a file with a progress bar; the first Ctrl-C ends the file well.

    Returns:
        The account of the run; `stopped` is `interrupted` after a Ctrl-C.

    Raises:
        SamplingError: not one row came about; no file is written.
    """
    with ProgressBar("sample") as bar, StopRequest() as stop:
        # A chunk for each block of the sampler: a Ctrl-C is heard between two of them.
        run, chunks = synthesizer.iter_sample(
            rows,
            where=where,
            given=given,
            settings=replace(settings, batch_rows=1),
            engine=engine,
            progress=bar,
        )
        with TableWriter(out, schema=synthesizer.schema_) as writer:
            _write(chunks, writer, stop)
            report = run.report
            if stop.is_made and report.is_partial:
                report.stopped = "interrupted"
            if not report.rows:
                raise SamplingError(
                    f"None of {report.asked:,} rows came about: {shortfall(report)}.",
                    hint="Loosen the conditions, the constraints or the time.",
                )
    return report


def shortfall(report: SampleReport) -> str:
    """Why fewer rows came than were asked for, with counts."""
    reasons = [f"{count:,} rows given up ({why})" for why, count in report.dropped.items()]
    untried = report.asked - report.rows - sum(report.dropped.values())
    if untried > 0:
        end = "Ctrl-C" if report.stopped == "interrupted" else "the time limit"
        reasons.append(f"{untried:,} rows not begun ({end})")
    return ", ".join(reasons)


def _write(chunks: Iterable[pa.Table], writer: TableWriter, stop: StopRequest) -> None:
    waiting: list[pa.Table] = []
    num_waiting = 0
    for chunk in chunks:
        if chunk.num_rows:
            waiting.append(chunk)
            num_waiting += chunk.num_rows
        if num_waiting >= _ROWS_AT_ONCE:
            writer.write(pa.concat_tables(waiting))
            waiting, num_waiting = [], 0
        if stop.is_made:
            break
    if waiting:
        writer.write(pa.concat_tables(waiting))
