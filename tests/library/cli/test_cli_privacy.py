import json

import pytest
from typer.testing import CliRunner

from llmsynth.cli import app
from llmsynth.cli.one_run_bound import proved
from llmsynth.cli.privacy_words import ledger_lines
from llmsynth.privacy import journal
from llmsynth.privacy.accounting import Mechanism
from llmsynth.privacy.ledger import Ledger, allot
from llmsynth.privacy.settings import PrivacySettings


def ledger(**changes) -> Ledger:
    given = {
        "settings": PrivacySettings(epsilon=2.0, entity="patient", rows_per_entity=3),
        "delta": 1e-6,
        "parts": {
            "counts": Mechanism(noise_multiplier=10.0),
            "training": Mechanism(noise_multiplier=20.0, sampling_rate=0.1, count=50),
        },
        "key_delta": 1e-7,
        "clipping_norm": 1.0,
        "expected_units": 500.0,
        "steps_planned": 50,
        "public": ("the names of the columns",),
        "left_out": ("note",),
    }
    return Ledger(**{**given, **changes})


def test_a_ledger_in_words_names_unit_parts_and_what_is_not_covered():
    text = "\n".join(ledger_lines(json.loads(json.dumps(ledger().to_json()))))
    for words in (
        "entity of 'patient' (at most 3 rows of each were read)",
        "counts: epsilon",
        "50 steps, each unit taking part with probability 0.1",
        "operating system",
        "the names of the columns",
        "  - note",
        "evaluation reports",
    ):
        assert words in text
    assert "WARNING" not in text


def test_earlier_fits_of_the_folder_are_added_up_in_a_warning(tmp_path):
    settings = PrivacySettings(epsilon=3.0)
    assert journal.begin(tmp_path, settings, 1e-6) == []
    journal.finish(tmp_path)
    assert len(journal.begin(tmp_path, settings, 1e-6)) == 1
    attempts = journal.read(tmp_path)
    assert [attempt["finished"] for attempt in attempts] == [True, False]
    record = ledger(earlier_attempts=tuple(attempts)).to_json()
    text = "\n".join(ledger_lines(record))
    spent = float(record["spent"]["epsilon"])
    assert "2 earlier private fits were started in this folder (1 never finished)" in text
    assert f"up to epsilon {spent + 6:.4g}" in text


def test_the_total_is_less_than_the_parts_and_more_than_any():
    record = ledger().to_json()
    alone = [part["epsilon_alone"] for part in record["parts"]]
    assert max(alone) < record["spent"]["epsilon"] < sum(alone)


def test_a_smaller_epsilon_leaves_more_of_the_budget_to_counts():
    small = allot(PrivacySettings(epsilon=1.0), 1e-6, metadata_share=0.3)
    large = allot(PrivacySettings(epsilon=8.0), 1e-6, metadata_share=0.3)
    assert small.metadata_noise > small.counts_noise > large.counts_noise
    assert small.key_delta == pytest.approx(1e-7)


def test_plan_says_what_to_expect_before_there_is_a_table():
    result = CliRunner().invoke(app, ["privacy", "plan", "--rows", "20000", "--epsilon", "4"])
    assert result.exit_code == 0
    assert "Epsilon 4 at delta 1e-06, for 20,000 units." in result.output
    assert "noise multiplier" in result.output
    assert "benchmarks/RESULTS.md" in result.output


def test_a_folder_without_a_synthesizer_is_told_in_one_line(tmp_path):
    result = CliRunner().invoke(app, ["privacy", str(tmp_path)])
    assert result.exit_code == 2
    assert "is not a saved synthesizer" in result.output


def test_the_judges_bound_what_perfect_guesses_prove():
    planted = [index % 2 == 0 for index in range(200)]
    found = proved([float(p) for p in planted], planted, delta=1e-5)
    assert found["num_correct"] == found["num_guesses"]
    assert 3.5 < found["epsilon"] < 4.5
