"""A synthesizer that draws fast: three columns, a tiny model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from llmsynth import Synthesizer


def people(rows: int, seed: int = 0) -> pa.Table:
    draw = np.random.default_rng(seed)
    age = draw.integers(18, 80, rows)
    city = np.where(age < 40, "Oslo", draw.choice(["Rome", "Lima"], rows))
    spent = np.round(age * 10 + draw.random(rows) * 50, 2)
    return pa.table({"age": age, "city": city, "spent": spent})


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved synthesizer; a block of it is 16,384 rows."""
    folder = tmp_path_factory.mktemp("cluster") / "bundle"
    made = Synthesizer(max_epochs=2, hidden_size=16, num_layers=1, batch_rows=64)
    return made.fit(people(400)).save(folder)
