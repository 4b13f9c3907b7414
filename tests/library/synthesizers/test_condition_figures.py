"""Rows drawn under conditions of one, two and five columns match real rows that meet them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

_BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
_MOST_EXCESS = 0.05
"""Above what two real samples differ by. A guard against collapse; the aim is .02."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_conditional_distributions_lie_near_those_of_held_out_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(_BENCHMARKS)
    conditions = import_module("conditions")
    figures = conditions.measure(rows=16_000, epochs=None, resamples=100)
    assert {figure.num_given for figure in figures} == {1, 2, 5}
    for figure in figures:
        assert figure.real <= figure.real_interval[1] * 1.3  # the halves are alike
        assert figure.synthetic <= figure.real_interval[1] + _MOST_EXCESS, figure
    assert conditions.to_markdown(figures).count("\n") == 1 + len(figures)
