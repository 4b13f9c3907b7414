"""Why rows that belong together have no private fit, and what to do instead."""

from __future__ import annotations

from llmsynth.errors import PrivacyError


def refuse_privacy(epsilon: float | None) -> None:
    """Refuse differential privacy for groups and related tables.

    The lengths, static columns, bins and times that a group's rows are read through are taken from
    the data as they are; each would have to be noised and accounted for.

    Raises:
        PrivacyError: an epsilon was given.
    """
    if epsilon is not None:
        raise PrivacyError(
            f"epsilon is {epsilon:g}, and groups of rows and related tables are not learned under "
            "differential privacy.",
            hint="Fit single rows with the group as the unit of privacy: "
            "Synthesizer(epsilon=..., entity=COLUMN, rows_per_entity=N), or fit TABLE --epsilon E "
            "--entity COLUMN --rows-per-entity N without --group-by.",
        )
