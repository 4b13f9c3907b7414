"""Files with faults are read or refused by name, and no row goes without a word."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

_SCRIPT = Path(__file__).parents[3] / "benchmarks" / "fuzz_reading.py"


def test_mutated_files_lose_no_row_unsaid(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("fuzz_reading", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    draw = random.Random(16)
    for _ in range(150):
        data = fuzz.mutated(fuzz.table(draw), draw)
        assert not fuzz.verdict(data, tmp_path / "t.csv").startswith("BAD"), data
