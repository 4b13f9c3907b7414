"""Which metrics a full evaluation runs, by topic, and which of them a table's extras add."""

from __future__ import annotations

from collections.abc import Mapping

from llmsynth_eval import fidelity, privacy
from llmsynth_eval.entrance import Entered
from llmsynth_eval.fidelity import ConstraintViolations, Subgroups
from llmsynth_eval.headline import Topic
from llmsynth_eval.metric import Metric
from llmsynth_eval.privacy import Anonymity, Identifiers, identifier_columns
from llmsynth_eval.text_column import TextColumnMetric
from llmsynth_eval.utility import Predictive, QScore, RareClassBenefit, TargetRelation


def metrics_of(entered: Entered) -> Mapping[Topic, tuple[Metric, ...]]:
    """The metrics to run on these tables, in the order in which a report shows them."""
    margin = entered.question.margin
    return {
        "fidelity": _fidelity(entered),
        "utility": (
            TargetRelation(margin=margin),
            Predictive(margin=margin),
            QScore(),
            *_rare_class(entered),
        ),
        "privacy": _privacy(entered),
        "text": _text(entered),
    }


def _fidelity(entered: Entered) -> tuple[Metric, ...]:
    metrics: list[Metric] = [m for m in fidelity.METRICS if not isinstance(m, Subgroups)]
    schema = entered.question.schema
    if schema is not None and schema.constraints:
        metrics.append(
            ConstraintViolations(
                schema=schema,
                train=entered.train,
                synthetic=entered.synthetic,
                holdout=entered.holdout,
            )
        )
    return (*metrics, Subgroups(column=entered.question.group))


def _rare_class(entered: Entered) -> tuple[Metric, ...]:
    asked = entered.question.rare_class
    if asked is False:
        return ()
    return (RareClassBenefit(minority=None if asked is True else asked),)


def _privacy(entered: Entered) -> tuple[Metric, ...]:
    keys = identifier_columns(entered.frames, entered.columns_of_kind("identifier"))
    metrics: list[Metric] = [*privacy.METRICS, Identifiers(columns=keys)]
    known, target = entered.question.quasi_identifiers, entered.question.target
    if known:
        metrics.append(
            Anonymity(quasi_identifiers=known, sensitive=None if target in known else target)
        )
    if entered.question.canaries is not None:
        metrics.append(entered.question.canaries)
    return tuple(metrics)


def _text(entered: Entered) -> tuple[Metric, ...]:
    columns = entered.columns_of_kind("text")
    return tuple(
        TextColumnMetric(
            column=column,
            frames=entered.frames,
            embedder=entered.question.embedder,
            is_only_one=len(columns) == 1,
        )
        for column in columns
    )
