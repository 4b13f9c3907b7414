"""What an attack achieves on train rows beyond what it achieves on rows nobody showed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.figure import Figure, Interval
from llmsynth_eval.intervals import Z95, wilson
from llmsynth_eval.metric import Comparison
from llmsynth_eval.privacy.row_keys import canonical_positions, canonical_rows


@dataclass(frozen=True, kw_only=True)
class ResidualRisk:
    """Success of one attack on train and, as its control, on the holdout."""

    train: float
    """Success rate on train rows."""
    control: float
    """Success rate on holdout rows."""
    train_error: float
    """Standard error of `train`."""
    control_error: float

    @property
    def value(self) -> float | None:
        """(train - control) / (1 - control): 0 is no leak, 1 a leak of everything that general
        knowledge does not tell; below 0 by chance only. None where the control always succeeds.

        Source: M. Giomi et al. (2023), A unified framework for quantifying privacy risk in
        synthetic data, PoPETs, equation 3.
        """
        return (self.train - self.control) / (1 - self.control) if self.control < 1 else None

    @property
    def interval(self) -> Interval | None:
        """95% interval of `value`, errors of both rates propagated."""
        value = self.value
        if value is None:
            return None
        by_train = self.train_error / (1 - self.control)
        by_control = self.control_error * (1 - self.train) / (1 - self.control) ** 2
        half = Z95 * math.hypot(by_train, by_control)
        return max(-1.0, value - half), min(1.0, value + half)


def risk_of_counts(train_hits: int, control_hits: int, attacks: int) -> ResidualRisk:
    """The risk where each attack on a row succeeds or fails; errors from Wilson's intervals."""
    return ResidualRisk(
        train=train_hits / attacks,
        control=control_hits / attacks,
        train_error=_wilson_error(train_hits, attacks),
        control_error=_wilson_error(control_hits, attacks),
    )


def risk_of_rows(train: Floats, control: Floats) -> ResidualRisk:
    """The risk where each row has a share of attacks that succeeded on it."""
    return ResidualRisk(
        train=float(train.mean()),
        control=float(control.mean()),
        train_error=float(train.std(ddof=1) / np.sqrt(len(train))),
        control_error=float(control.std(ddof=1) / np.sqrt(len(control))),
    )


def risk_figure(risk: ResidualRisk, *, name: str, title: str, meaning: str) -> Figure:
    """A residual risk as a figure; fresh real rows have 0 by definition."""
    return Figure(
        name=name,
        title=title,
        value=risk.value,
        interval=risk.interval,
        floor=0.0,
        goal="lower",
        meaning=f"{meaning} It succeeds on {100 * risk.train:.2f}% of train and "
        f"{100 * risk.control:.2f}% of unseen rows; the risk is the excess over 1 less the "
        "latter, 0 by definition for real rows.",
    )


def risk_notes(risk: ResidualRisk, title: str) -> tuple[str, ...]:
    """Says why a risk is undefined, where it is."""
    if risk.value is not None:
        return ()
    return (f"{title} is undefined: the attack succeeds on every unseen row.",)


def drawn(comparison: Comparison, role: str, most: int) -> CodedTable:
    """A sample of one of the three tables, the same whatever the order of rows and columns."""
    table: CodedTable = getattr(comparison, role)
    positions = canonical_positions(table, most=most, seed=comparison.seed, role=f"risk {role}")
    return canonical_rows(table, positions)


def chosen_columns(table: CodedTable, names: tuple[str, ...]) -> CodedTable:
    """The table's named columns."""
    places = [table.index(name) for name in names]
    return CodedTable(
        columns=tuple(table.columns[n] for n in places),
        cells=table.cells[:, places],
        places=table.places,
    )


def _wilson_error(successes: int, trials: int) -> float:
    low, high = wilson(successes, trials)
    return (high - low) / (2 * Z95)
