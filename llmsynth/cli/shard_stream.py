"""Rows from a synthesizer to a folder of shards, on this machine or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.cli.row_stream import shortfall
from llmsynth.cli.stop_request import StopRequest
from llmsynth.errors import SamplingError, SettingsError

if TYPE_CHECKING:
    from llmsynth.cluster import RaySettings
    from llmsynth.generation.generator import SamplingSettings
    from llmsynth.generation.sample import SampleReport


def is_folder(out: str) -> bool:
    """Whether shards go to `out`: a folder, a name without an ending, or an address."""
    return "://" in out or out.endswith("/") or not Path(out).suffix or Path(out).is_dir()


def row_count(text: str) -> int:
    """A number of rows as people write large ones: `1000000`, `1_000_000`, `1e6`.

    Raises:
        SettingsError: it is none.
    """
    try:
        number = float(text) if "e" in text.lower() else int(text)
        if number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise SettingsError(f"--rows must be a whole number such as 1000000 or 1e6, got {text!r}.")


def stream_shards(
    bundle: Path,
    rows: int | None,
    out: str,
    *,
    settings: SamplingSettings,
    where: Mapping[str, object],
    given: Path | None,
    ray: RaySettings | None,
) -> SampleReport:
    """Draw rows into a folder with a progress bar; the first Ctrl-C ends it well.

    Raises:
        SamplingError: not one row came about.
    """
    # Reaches torch, which takes seconds to load.
    from llmsynth.cluster import sample_shards

    with ProgressBar("sample") as bar, StopRequest() as stop:
        report = sample_shards(
            bundle,
            rows,
            out,
            settings=settings,
            where=where,
            given=given,
            ray=ray,
            progress=bar,
            is_stopped=lambda: stop.is_made,
        )
    if not report.rows:
        raise SamplingError(
            f"None of {report.asked:,} rows came about: {shortfall(report)}.",
            hint="Loosen the conditions, the constraints or the time.",
        )
    return report
