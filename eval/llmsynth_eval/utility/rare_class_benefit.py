"""The benefit of a synthetic table's rows of a rare class, as a metric of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmsynth.errors import SettingsError
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.utility.augmentation import AMOUNTS, NUM_SEEDS, Amount, Augmentation, benefit
from llmsynth_eval.utility.learners import LearnerName


@dataclass(frozen=True, kw_only=True)
class RareClassBenefit:
    """`augmentation_benefit` with the synthetic table's own rows of a class of the target.

    Asked for by name, because it teaches some hundred learners. A comparison that cannot be made
    (a number as target, too few rows) is a note.
    """

    minority: str | None = None
    """Default the class with fewest train rows."""
    amounts: tuple[Amount, ...] = AMOUNTS
    learners: tuple[LearnerName, ...] = ("boosting", "linear")
    num_seeds: int = NUM_SEEDS

    name: ClassVar[str] = "rare_class_benefit"
    goal: ClassVar[Goal] = "higher"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        if comparison.target is None:
            return Measurement()
        try:
            found = benefit(
                comparison,
                minority=self.minority,
                amounts=self.amounts,
                learners=self.learners,
                num_seeds=self.num_seeds,
            )
        except SettingsError as error:
            return Measurement(notes=(f"Rare class benefit was left out: {error}",))
        return Measurement(
            figures=(_figure(found),),
            tables=(found.table(), found.rare_rows.table(found.minority)),
            notes=(found.words, *found.notes),
        )


def _figure(found: Augmentation) -> Figure:
    return Figure(
        name="rare_class_benefit",
        title=f"AUPRC gained for {found.minority}",
        value=found.difference,
        interval=found.interval,
        goal="higher",
        meaning="AUPRC with the synthetic rows of the class added to train, less that of the best "
        "simpler way (of doing nothing, where they harm). Real rows of the class have no floor "
        "here: as many more are not at hand.",
    )
