"""Tables as people keep them, with names, codes and titles, are fitted by default."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from llmsynth import Synthesizer
from llmsynth.errors import ConditionError


def quick(**settings: object) -> Synthesizer:
    small: dict[str, object] = {"max_epochs": 6, "hidden_size": 32, "num_layers": 2}
    return Synthesizer(**(small | settings))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def passengers() -> pd.DataFrame:
    """Passengers of a ship: names, tickets with a prefix that follows from the class, cabins."""
    draw = np.random.default_rng(3)
    rows = 300
    cabin_class = draw.integers(1, 4, rows)
    prefix = np.array(["PC ", "S.C./PARIS ", ""])[cabin_class - 1]
    return pd.DataFrame(
        {
            "Pclass": cabin_class,
            "Ticket": [
                f"{p}{n}" for p, n in zip(prefix, draw.integers(1000, 99999, rows), strict=True)
            ],
            "Cabin": [
                f"{'ABC'[c - 1]}{draw.integers(1, 99)}" if draw.random() < 0.4 else None
                for c in cabin_class
            ],
            "Fare": np.round(draw.lognormal(3 - cabin_class / 2, 0.4), 2),
        }
    )


@pytest.fixture(scope="module")
def fitted(passengers: pd.DataFrame) -> Synthesizer:
    return quick(max_epochs=25).fit(passengers)


def test_codes_keep_their_structure_and_go_with_their_row(
    passengers: pd.DataFrame, fitted: Synthesizer
) -> None:
    rows = fitted.sample(300).to_pandas()
    assert [fitted.schema_.column(name).kind for name in ("Ticket", "Cabin")] == ["text"] * 2
    assert rows["Ticket"].notna().all()
    assert rows["Cabin"].isna().mean() == pytest.approx(0.6, abs=0.15)
    first = rows["Pclass"].astype(str) == "1"
    has_prefix = rows["Ticket"].str.startswith("PC ")
    assert has_prefix[first].mean() > 0.6
    assert has_prefix[~first].mean() < 0.2
    assert rows["Ticket"].nunique() > 200, "they are open, not a handful of replayed values"


def test_a_text_that_can_be_spelled_can_be_given(fitted: Synthesizer) -> None:
    rows = fitted.sample(60, where={"Ticket": "PC 4711"}).to_pandas()
    assert set(rows["Ticket"]) == {"PC 4711"}
    assert (rows["Pclass"].astype(str) == "1").mean() > 0.6
    with pytest.raises(ConditionError, match="'ж'"):
        fitted.sample(1, where={"Ticket": "ж"})


def test_a_saved_synthesizer_spells_the_same_texts(fitted: Synthesizer, tmp_path: object) -> None:
    folder = fitted.save(str(tmp_path))
    again = Synthesizer.load(folder)
    assert again.sample(40, seed=5).table.equals(fitted.sample(40, seed=5).table)


def test_the_record_says_what_was_spelled(fitted: Synthesizer) -> None:
    told = fitted.provenance_["texts"]
    assert isinstance(told, dict)
    assert set(told) == {"Ticket", "Cabin"}
    assert told["Ticket"]["rare_texts"] >= 290
    assert told["Cabin"]["would_have_been_emptied"] > 80


def test_numbers_with_blanks_and_people_are_fitted(tmp_path: object) -> None:
    draw = np.random.default_rng(4)
    count = 240
    given, family = ["Ann", "Joe", "Eve", "Tom"], ["Lee", "Day", "Fox", "Gray", "Hill"]
    people = [
        f"{draw.choice(family)}, {draw.choice(given)} {chr(65 + n % 26)}" for n in range(count)
    ]
    total = np.round(draw.gamma(2, 500, count), 2).astype(str)
    total[:5] = " "
    table = pd.DataFrame(
        {
            "person": people,
            "TotalCharges": total,
            "birthCity": [
                f"{draw.choice(['New ', 'Port ', ''])}{draw.choice(family)}ton" for _ in people
            ],
            "churn": draw.choice(["Yes", "No"], count),
        }
    )
    rows = quick(target="churn").fit(table).sample(50).to_pandas()
    assert list(rows.columns) == list(table.columns)
    assert len(rows) == 50
    assert rows["person"].notna().all()
