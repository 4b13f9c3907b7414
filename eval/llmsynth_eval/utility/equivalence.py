"""Is a difference small enough not to matter? Two one-sided tests against a margin (TOST)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.stats import t as student

from llmsynth.errors import SettingsError
from llmsynth_eval.figure import Interval

DEFAULT_MARGIN = 0.03
LEVEL = 0.05
EquivalenceVerdict = Literal["equivalent", "worse", "better", "not shown"]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One independent source of error of a difference."""

    variance: float
    degrees: float
    """Degrees of freedom of its estimate."""


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """A difference, its 90% interval, and what the two tests at 5% say."""

    difference: float
    """Synthetic less real, in the score's unit; above 0 is better."""
    interval: Interval
    """90%: equivalence at 5% is this interval inside the margins."""
    margin: float
    p_value: float
    """Of the null hypothesis that the difference is as large as the margin, either way."""
    verdict: EquivalenceVerdict

    def words(self, score: str) -> str:
        """The verdict for a reader who does not know the term."""
        low, high = self.interval
        shown = (
            f"{self.difference:+.3f} in {score}, 90% interval {low:+.3f} to {high:+.3f}, "
            f"margin {self.margin:g}"
        )
        say = {
            "equivalent": "For this task the synthetic rows serve as well as the real ones, "
            "within the margin",
            "worse": "For this task the synthetic rows serve worse than the real ones, by more "
            "than the margin",
            "better": "A learner taught by the synthetic rows beats one taught by the real rows "
            "by more than the margin; look whether holdout rows came to the synthesizer",
            "not shown": "It is not shown that the synthetic rows serve as well as the real ones: "
            "the interval reaches beyond the margin",
        }
        return f"{say[self.verdict]} ({shown})."


def check_margin(margin: float) -> None:
    """Refuse a margin outside 0 to 1.

    Raises:
        SettingsError: the margin is not a number from 0 to 1.
    """
    if not 0 <= margin <= 1:
        raise SettingsError(
            f"The equivalence margin must lie between 0 and 1, got {margin}.",
            hint="0.02 to 0.05 is usual; 0 is never met.",
        )


def equivalence(difference: float, spreads: Sequence[Spread], *, margin: float) -> Equivalence:
    """Two one-sided t tests with the degrees of freedom of Welch and Satterthwaite.

    Source: D. J. Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics 15, 657-680;
    F. E. Satterthwaite (1946), Biometrics Bulletin 2, 110-114.

    Args:
        difference: synthetic less real, above 0 is better.
        spreads: independent sources of its error; variances add.
        margin: largest difference that does not matter, in the same unit, 0 to 1.
    """
    check_margin(margin)
    variance = sum(spread.variance for spread in spreads)
    if variance == 0:
        return _certain(difference, margin)
    degrees = variance**2 / sum(s.variance**2 / s.degrees for s in spreads)
    error = math.sqrt(variance)
    half = float(student.ppf(1 - LEVEL, degrees)) * error
    above = float(student.sf((difference + margin) / error, degrees))
    below = float(student.cdf((difference - margin) / error, degrees))
    interval = difference - half, difference + half
    return Equivalence(
        difference=difference,
        interval=interval,
        margin=margin,
        p_value=max(above, below),
        verdict=_verdict(interval, margin),
    )


def _certain(difference: float, margin: float) -> Equivalence:
    interval = difference, difference
    verdict = _verdict(interval, margin)
    p_value = 0.0 if verdict == "equivalent" else 1.0
    return Equivalence(
        difference=difference, interval=interval, margin=margin, p_value=p_value, verdict=verdict
    )


def _verdict(interval: Interval, margin: float) -> EquivalenceVerdict:
    low, high = interval
    if -margin < low and high < margin:
        return "equivalent"
    if high < -margin:
        return "worse"
    return "better" if low > margin else "not shown"
