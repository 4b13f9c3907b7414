"""Somebody edits a private bundle or its ledger, so that less seems to have been spent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from llmsynth.cli import app
from llmsynth.errors import PrivacyError
from llmsynth.privacy.spending_ledger import SpendingLedger


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SpendingLedger:
    monkeypatch.setenv("LLMSYNTH_LEDGER", str(tmp_path / "ledger"))
    return SpendingLedger()


def bundle(folder: Path, *, epsilon: float, weights: bytes = b"weights", entry: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights)
    record = {"differential_privacy": {"spent": {"epsilon": epsilon}}, "ledger_entry": entry}
    (folder / "provenance.json").write_text(json.dumps(record))
    return folder


def charged(ledger: SpendingLedger, folder: Path, epsilon: float = 3.0) -> Path:
    entry = ledger.begin("table", epsilon=epsilon, delta=1e-5, cap=None)
    made = bundle(folder, epsilon=epsilon, entry=entry)
    ledger.finish(entry, made)
    return made


def test_an_edited_account_is_told(ledger: SpendingLedger, tmp_path: Path) -> None:
    made = charged(ledger, tmp_path / "a")
    entry = ledger.check(made)
    assert entry is not None
    bundle(made, epsilon=0.01, entry=str(entry["id"]))
    with pytest.raises(PrivacyError, match=r"does not match its ledger.*account"):
        ledger.check(made)


def test_swapped_weights_are_told_and_foreign_ones_not_confirmed(
    ledger: SpendingLedger, tmp_path: Path
) -> None:
    made = charged(ledger, tmp_path / "a")
    entry = json.loads((made / "provenance.json").read_text())["ledger_entry"]
    bundle(made, epsilon=3.0, weights=b"others", entry=entry)
    with pytest.raises(PrivacyError, match=r"does not match its ledger.*weights"):
        ledger.check(made)
    assert ledger.check(bundle(tmp_path / "b", epsilon=3.0, weights=b"foreign")) is None


@pytest.mark.parametrize("attack", ["edit", "remove", "reorder"])
def test_an_edited_ledger_is_told(ledger: SpendingLedger, tmp_path: Path, attack: str) -> None:
    made = charged(ledger, tmp_path / "a")
    charged(ledger, tmp_path / "b", epsilon=5.0)
    path = ledger.folder / "entries.jsonl"
    lines = path.read_text().splitlines()
    if attack == "edit":
        lines[0] = lines[0].replace('"epsilon": 3.0', '"epsilon": 0.1')
    elif attack == "remove":
        del lines[1]
    else:
        lines[0], lines[2] = lines[2], lines[0]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(PrivacyError, match="was changed, removed or moved"):
        ledger.check(made)


def test_a_cap_refuses_and_cannot_be_raised(ledger: SpendingLedger) -> None:
    ledger.begin("table", epsilon=2.0, delta=1e-5, cap=3.0)
    with pytest.raises(PrivacyError, match="its cap is 3, and 2 is spent"):
        ledger.begin("table", epsilon=2.0, delta=1e-5, cap=None)
    with pytest.raises(PrivacyError, match="its cap is 3"):
        ledger.begin("table", epsilon=2.0, delta=1e-5, cap=100.0)
    ledger.begin("table", epsilon=1.0, delta=1e-5, cap=None)
    ledger.begin("another table", epsilon=2.0, delta=1e-5, cap=None)


def test_a_fit_of_the_command_is_charged_and_no_other_folder_escapes_its_cap(
    ledger: SpendingLedger, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    cells = {"age": rng.integers(18, 80, 200), "sex": rng.choice(["female", "male"], 200)}
    pd.DataFrame(cells).to_csv(tmp_path / "people.csv", index=False)

    def fit(name: str, *more: str) -> tuple[int, str]:
        command = ["fit", str(tmp_path / "people.csv"), "--out", str(tmp_path / name)]
        done = CliRunner().invoke(app, [*command, "--epsilon", "2", *more])
        return done.exit_code, done.output

    status, told = fit("first", "--epsilon-cap", "3")
    assert status == 0, told
    shutil.rmtree(tmp_path / "first.owner")
    shown = CliRunner().invoke(app, ["privacy", str(tmp_path / "first")])
    assert shown.exit_code == 0, shown.output
    assert "Confirmed by the ledger" in shown.output
    status, told = fit("second")
    assert status == 2
    assert "its cap is 3, and 2 is spent" in told
    record = json.loads((tmp_path / "first" / "provenance.json").read_text())
    record["differential_privacy"]["spent"]["epsilon"] = 0.01
    (tmp_path / "first" / "provenance.json").write_text(json.dumps(record))
    shown = CliRunner().invoke(app, ["privacy", str(tmp_path / "first")])
    assert shown.exit_code == 2
    assert "does not match its ledger" in shown.output
    shutil.rmtree(ledger.folder)
    shown = CliRunner().invoke(app, ["privacy", str(tmp_path / "first")])
    assert "NOT CONFIRMED" in shown.output
