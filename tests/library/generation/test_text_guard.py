"""Rare training texts come out no more often than unseen rows would have them."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmsynth import Synthesizer
from llmsynth.errors import BundleError
from llmsynth.generation.text_guard import CopyRate, TextGuard
from llmsynth.synthesizers.compact_learner import CompactLearner


def test_copies_are_let_through_as_often_as_coincidence_explains() -> None:
    # Half of 100 draws copy. Kept at a share a, of 50 + 50 a cells 50 a are copies: a fifth
    # of all where a = 1/4.
    rate = CopyRate(drawn=0.5, coincidence=0.2)
    assert rate.accepted == pytest.approx(0.25)
    assert CopyRate(drawn=0.1, coincidence=0.2).accepted == 1.0
    assert CopyRate(drawn=0.3, coincidence=0.0).accepted == 0.0


def test_a_guard_knows_its_texts_in_any_case_and_no_others() -> None:
    guard = TextGuard.of({"town": {"Bad  Ischl"}})
    assert guard.knows("town", ["bad ischl", "Ischl", None]).tolist() == [True, False, False]
    assert not guard.knows("other", ["Bad Ischl"]).any()


def test_a_guard_is_written_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    guard = TextGuard.of({"t": {"a", "b"}}).allowing({"t": CopyRate(drawn=0.5, coincidence=0.2)})
    guard.save(tmp_path / "it.owner")
    (path,) = (tmp_path / "it.owner").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TextGuard.load(tmp_path / "it.owner") == guard
    assert TextGuard.load(tmp_path / "none") is None
    path.write_text("{}")
    with pytest.raises(BundleError, match="no text guard"):
        TextGuard.load(tmp_path / "it.owner")


@pytest.fixture(scope="module")
def memorised() -> Synthesizer:
    """A model that has learned forty texts, each of one row, by heart."""
    draw = np.random.default_rng(0)
    letters = list("abcdefgh")
    texts = ["".join(draw.choice(letters, 7)) for _ in range(40)]
    table = pd.DataFrame({"x": np.arange(40) % 4, "code": texts})
    settings: dict[str, object] = {"max_epochs": 300, "hidden_size": 64, "num_layers": 2}
    return Synthesizer(**settings).fit(table)  # type: ignore[arg-type]


def _with_guard(synthesizer: Synthesizer, guard: TextGuard | None) -> Synthesizer:
    learner = synthesizer.learner_
    assert isinstance(learner, CompactLearner)
    out = Synthesizer()
    out.learner_ = replace(learner, guard=guard)
    return out


def _guard(synthesizer: Synthesizer) -> TextGuard:
    assert isinstance(synthesizer.learner_, CompactLearner)
    guard = synthesizer.learner_.guard
    assert guard is not None
    return guard


def test_what_was_learned_by_heart_is_drawn_again(memorised: Synthesizer) -> None:
    guard = _guard(memorised)
    open_run = _with_guard(memorised, None).sample(200)
    copied = guard.knows("code", open_run.to_pandas()["code"].tolist()).mean()
    assert open_run.report.text_guard == "absent"
    assert copied > 0.05, "the planted fault: it replays its rows"
    kept = memorised.sample(200)
    left = guard.knows("code", kept.to_pandas()["code"].tolist())
    assert kept.report.text_guard == "on"
    assert kept.report.redrawn_texts >= 200 * copied / 2
    assert left.sum() == kept.report.copied_texts
    assert left.mean() < copied / 4
    # Other cells stay as they were drawn.
    assert kept.table["x"].equals(open_run.table["x"])


def test_guarded_rows_do_not_depend_on_how_they_are_cut(memorised: Synthesizer) -> None:
    whole = memorised.sample(60).table
    assert memorised.sample(30).table.equals(whole.slice(0, 30))


def test_the_guard_lies_beside_the_bundle_and_never_in_it(
    memorised: Synthesizer, tmp_path: Path
) -> None:
    folder = memorised.save(tmp_path / "codes")
    inside = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    guard = _guard(memorised)
    told = json.loads((tmp_path / "codes.owner" / "guard" / "text_guard.json").read_text())
    assert told["key"].encode() not in inside
    assert all(h.hex().encode() not in inside for h in guard.hashes["code"])
    again = Synthesizer.load(folder).sample(50)
    assert again.table.equals(memorised.sample(50).table)
    (tmp_path / "codes.owner" / "guard" / "text_guard.json").unlink()
    assert Synthesizer.load(folder).sample(5).report.text_guard == "absent"
