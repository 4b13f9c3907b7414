"""Columns of few levels under headings of personal data: the default fit must leave them alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from llmsynth import Synthesizer
from llmsynth.personal_data.detection import detect

LEVELS = {
    "address_changed": ["no change", "1 year", "2 years", "5 years", "10 years or more"],
    "email_domain": ["a@b.com", "c@d.org", "e@f.net"],
    "phone_service": ["020 7946 0018", "020 7946 0019"],
    "first_name": ["Anna", "Ben", "Carla", "David", "Emma", "Frank"],
    "patient_id_group": ["P1", "P2", "P3"],
    "ip": ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
}


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_few_levels_are_never_personal_data(name: str) -> None:
    cells = np.random.default_rng(1).choice(LEVELS[name], 300)
    assert detect(pa.table({name: cells})) == ()


def test_many_levels_of_a_duration_under_an_address_heading_are_no_addresses() -> None:
    years = [f"{n} years" for n in np.random.default_rng(2).integers(1, 15, 400)]
    assert detect(pa.table({"years_at_address": years})) == ()
    streets = [f"{n} old mill road" for n in range(40)]
    assert [found.kind for found in detect(pa.table({"home_address": streets}))] == ["address"]


def test_the_default_fit_keeps_five_levels_under_a_heading_with_address() -> None:
    random = np.random.default_rng(3)
    shares = [0.4, 0.3, 0.15, 0.1, 0.05]
    cells = random.choice(LEVELS["address_changed"], 500, p=shares)
    table = pa.table({"address_changed": cells, "amount": random.integers(0, 90, 500)})
    fitted = Synthesizer(max_epochs=4, hidden_size=32, num_layers=1).fit(table)
    made = fitted.sample(2000).table["address_changed"].to_pylist()
    apart = [
        abs(float((cells == level).mean()) - made.count(level) / 2000)
        for level in LEVELS["address_changed"]
    ]
    assert sum(apart) / 2 < 0.1
