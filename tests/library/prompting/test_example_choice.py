"""Which examples stand in a prompt."""

from __future__ import annotations

import numpy as np

from llmsynth.prompting.example_choice import chosen_examples


def test_a_rare_class_stands_in_every_prompt() -> None:
    strata = ["common"] * 97 + ["rare"] * 3
    for seed in range(20):
        places = chosen_examples(strata, 6, np.random.default_rng(seed))
        assert sorted(strata[place] for place in places) == ["common"] * 3 + ["rare"] * 3


def test_a_stratum_that_runs_out_leaves_its_turns_to_the_others() -> None:
    places = chosen_examples(["a", "b", "b", "b"], 4, np.random.default_rng(0))
    assert sorted(places) == [0, 1, 2, 3]


def test_no_row_comes_twice_and_the_order_changes() -> None:
    drawn = [tuple(chosen_examples([None] * 9, 9, np.random.default_rng(s))) for s in range(5)]
    assert all(sorted(places) == list(range(9)) for places in drawn)
    assert len(set(drawn)) == 5


def test_there_may_be_no_examples() -> None:
    assert chosen_examples([], 10, np.random.default_rng(0)) == []
