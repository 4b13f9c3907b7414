"""Ctrl-C in a program at work: what there is by then is kept, readable and said to be partial."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from llmsynth.synthesizers import Synthesizer
from llmsynth.tables import read_table

Start = Callable[..., "subprocess.Popen[str]"]
Invoke = Callable[[Sequence[str | Path]], tuple[int, str, str]]


def _interrupt(process: subprocess.Popen[str], sign: str) -> tuple[str, str]:
    """Wait until stderr tells `sign`, press Ctrl-C, and give stdout and the rest of stderr."""
    assert process.stderr is not None
    said = ""
    while not re.match(sign, line := process.stderr.readline()):
        said += line
        assert line, f"the program ended before Ctrl-C: {said}"
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=120)


def test_a_fit_keeps_what_it_learned_and_goes_on_from_there(
    people: Path, tmp_path: Path, start: Start, invoke: Invoke
) -> None:
    folder, out = tmp_path / "s", tmp_path / "few.csv"
    command = ["fit", people, "--out", folder, "--max-epochs", "60", "--max-minutes", "9"]
    process = start(*command)
    said, complaint = _interrupt(process, r"fit [1-9]\d%")
    assert process.returncode == 130
    assert "training ended at Ctrl-C" in said
    assert f"the synthesizer in {folder} is partial" in complaint
    assert "goes on from its work files" in complaint
    assert Synthesizer.load(folder).sample(10).table.num_rows == 10
    assert "PARTIAL" in invoke(["inspect", folder])[1]

    status, said, _ = invoke(command)
    assert status == 0
    went_on = re.search(r"Went on from the checkpoint at (\d+)%", said)
    assert went_on is not None
    assert int(went_on[1]) >= 10
    assert not list(folder.glob("checkpoint*"))
    assert "PARTIAL" not in invoke(["inspect", folder])[1]
    assert invoke(["sample", folder, "--rows", "10", "--out", out])[0] == 0


def test_a_long_sample_keeps_its_rows_as_a_whole_file(
    fitted: Path, tmp_path: Path, start: Start
) -> None:
    out = tmp_path / "many.csv"
    process = start("sample", fitted, "--rows", "90000000", "--out", out)
    said, complaint = _interrupt(process, "sample 0%")
    assert process.returncode == 130
    rows = read_table(out).num_rows
    assert 0 < rows < 90_000_000
    assert f"Wrote {rows:,} of 90,000,000 rows" in said
    assert f"partial: {90_000_000 - rows:,} rows not begun (Ctrl-C)" in complaint
    assert [path.name for path in tmp_path.iterdir()] == ["many.csv"]
