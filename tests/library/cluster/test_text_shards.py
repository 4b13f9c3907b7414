"""Rows that a language model writes, part by part: those of a single run."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from llmsynth import Synthesizer
from llmsynth.generation.generator import SamplingSettings
from llmsynth.generation.text_generator import TEXT_BLOCK_ROWS
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.training.tuning_settings import TuningSettings


@pytest.mark.slow
def test_a_part_behind_the_first_block_is_that_of_the_whole(tiny_model: Path) -> None:
    table = pa.table(
        {
            "id": [f"P-{number:05d}" for number in range(60)],
            "sex": ["female", "male", "male"] * 20,
            "age": [str(20 + number % 50) for number in range(60)],
        }
    )
    text = TextSettings(
        path="pretrained", tuning=TuningSettings(rank=4, learning_rate=1e-2, batch_tokens=512)
    )
    made = Synthesizer(model=str(tiny_model), text=text, max_epochs=1).fit(table)
    assert made.block_rows == TEXT_BLOCK_ROWS
    rows = TEXT_BLOCK_ROWS + 5
    whole = made.sample(rows, seed=3).table
    settings = SamplingSettings(seed=3, first_row=TEXT_BLOCK_ROWS)
    _, chunks = made.iter_sample(5, settings=settings)
    assert pa.concat_tables(chunks).equals(whole.slice(TEXT_BLOCK_ROWS))
