"""Files of a fit that two attempts may write at the same time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import torch

from llmsynth.training import checkpoint
from llmsynth.training.checkpoint import Position, load_checkpoint, put_file, save_checkpoint


def test_two_attempts_that_save_at_once_leave_a_whole_checkpoint(tmp_path: Path) -> None:
    errors: list[OSError] = []

    def attempt(number: int) -> None:
        try:
            for step in range(20):
                weights = torch.full((20_000,), float(number))
                save_checkpoint(
                    tmp_path, Position("run", step=step, seconds=number), {"w": weights}
                )
        except OSError as error:
            errors.append(error)

    attempts = [threading.Thread(target=attempt, args=(number,)) for number in (1, 2, 3)]
    for thread in attempts:
        thread.start()
    for thread in attempts:
        thread.join()
    assert errors == []
    found = load_checkpoint(tmp_path, "run")
    assert found is not None
    position, tensors = found
    assert position.step == 19
    assert tensors["w"].eq(position.seconds).all(), "the tensors are of another attempt"
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    put_file(path, lambda new: new.write_text("whole"))

    def half(new: Path) -> None:
        new.write_text("ha")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        put_file(path, half)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["whole"]


def test_what_a_killed_attempt_left_is_removed_when_nobody_can_be_at_it(tmp_path: Path) -> None:
    old, fresh = tmp_path / "file.a.new", tmp_path / "file.b.new"
    for left in (old, fresh):
        left.write_text("half")
    past = old.stat().st_mtime - checkpoint._ABANDONED_SECONDS - 60
    os.utime(old, (past, past))
    put_file(tmp_path / "file", lambda new: new.write_text("whole"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "file.b.new"]
