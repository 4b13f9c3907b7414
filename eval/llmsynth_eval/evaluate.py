"""The full evaluation: real tables and one or more synthetic ones in, one report out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version

from llmsynth.errors import TableError
from llmsynth.schema.table_schema import TableSchema
from llmsynth_eval.definitions import definitions_of
from llmsynth_eval.entrance import ALL_TOPICS, ONE_TABLE, Entrance, Question
from llmsynth_eval.figure import Figure, Interval
from llmsynth_eval.headline import Topic
from llmsynth_eval.input_tables import Table
from llmsynth_eval.metric import Comparison, Measurement, Metric
from llmsynth_eval.pages.pictures import picture
from llmsynth_eval.privacy.canaries import CanaryAudit
from llmsynth_eval.report import Evaluation, Report, Result
from llmsynth_eval.suite import metrics_of
from llmsynth_eval.text.embedders import Embedder
from llmsynth_eval.utility.equivalence import DEFAULT_MARGIN


def evaluate(
    train: Table,
    holdout: Table,
    synthetic: Table | Mapping[str, Table],
    *,
    target: str | None = None,
    schema: TableSchema | None = None,
    numeric: Sequence[str] | None = None,
    group: str | None = None,
    quasi_identifiers: Sequence[str] = (),
    margin: float = DEFAULT_MARGIN,
    rare_class: str | bool = False,
    topics: Sequence[Topic] = ALL_TOPICS,
    embedder: Embedder | None = None,
    canaries: CanaryAudit | None = None,
    seed: int = 0,
    provenance: Mapping[str, str] | None = None,
) -> Report:
    """Measure synthetic tables against real ones: fidelity, utility, privacy, texts.

    The order of rows and columns does not matter: both are put in an order of their own first.

    Args:
        train: rows that the synthesizer learned from.
        holdout: rows of the same source that it never saw.
        synthetic: its rows, or several tables by name to compare.
        target: column to predict; without it the questions of utility stay open.
        schema: names the kind of every column and the constraints between them; kinds are
            inferred from train when omitted.
        numeric: numeric columns, against what the schema or the inference says.
        group: column whose values are judged each on its own as well.
        quasi_identifiers: columns an attacker may know, for k-anonymity and l-diversity.
        margin: differences of predictive scores that do not matter, 0 to 1.
        rare_class: a class of the target (True: the rarest) for which the gain of adding the
            synthetic rows to train is measured; it teaches some hundred learners.
        topics: what to measure, of fidelity, utility, privacy and text; all by default.
        embedder: turns texts into vectors; hashed words, which need no model, when omitted.
        canaries: scores of planted canaries, for the lower bound on epsilon.
        seed: of every resample, subsample, fold and learner.
        provenance: where the tables came from, name to text; stands in the report as it is.

    Raises:
        TableError: tables that are empty, differ in their columns, hold a cell of the wrong type
            in a numeric column, or a holdout that is the train table.
        SchemaError: a column that the schema does not describe.
        SettingsError: a target, group, quasi-identifier or numeric column that cannot be used.
    """
    question = Question(
        target=target,
        schema=schema,
        numeric=tuple(numeric) if numeric is not None else None,
        group=group,
        quasi_identifiers=tuple(quasi_identifiers),
        margin=margin,
        rare_class=rare_class,
        topics=tuple(topics),
        embedder=embedder,
        canaries=canaries,
        seed=seed,
    )
    tables = synthetic if isinstance(synthetic, Mapping) else {ONE_TABLE: synthetic}
    if not tables:
        raise TableError("An evaluation needs at least one synthetic table; there is none.")
    entrance = Entrance(train, holdout, question)
    evaluations = tuple(_evaluated(entrance, name, table) for name, table in sorted(tables.items()))
    used = [result.metric for evaluation in evaluations for result in evaluation.results]
    return Report(
        software=f"llmsynth {version('llmsynth')}",
        seed=seed,
        settings=question.named,
        provenance=dict(sorted((provenance or {}).items())),
        num_train_rows=len(entrance.train),
        num_holdout_rows=len(entrance.holdout),
        columns=entrance.columns,
        evaluations=evaluations,
        definitions=definitions_of(used),
    )


def _evaluated(entrance: Entrance, name: str, synthetic: Table) -> Evaluation:
    entered = entrance.enter(synthetic, name=name)
    results = tuple(
        _result(metric, topic, entered.comparison)
        for topic, metrics in metrics_of(entered).items()
        if topic in entered.question.topics
        for metric in metrics
    )
    columns = [column for result in results for column in result.measurement.columns]
    worst = [column.name for column in sorted(columns, key=lambda c: (-c.error, c.name))]
    comparison = entered.comparison
    return Evaluation(
        name=name,
        num_rows=comparison.synthetic.num_rows,
        results=results,
        notes=entered.notes,
        pictures=picture(comparison.train, comparison.synthetic, worst),
    )


def _result(metric: Metric, topic: Topic, comparison: Comparison) -> Result:
    measurement = _defined(metric.compute(comparison))
    return Result(metric=metric.name, topic=topic, measurement=measurement)


def _defined(measurement: Measurement) -> Measurement:
    """The measurement without NaN or infinity: an undefined figure is None, and a note says so."""
    figures = tuple(_finite(figure) for figure in measurement.figures)
    gone = [
        f"{figure.title} is undefined for these tables."
        for figure, was in zip(figures, measurement.figures, strict=True)
        if figure.value is None and was.value is not None
    ]
    return replace(measurement, figures=figures, notes=(*measurement.notes, *gone))


def _finite(figure: Figure) -> Figure:
    return replace(
        figure,
        value=_number(figure.value),
        interval=_interval(figure.interval),
        floor=_number(figure.floor),
        floor_interval=_interval(figure.floor_interval),
    )


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _interval(interval: Interval | None) -> Interval | None:
    if interval is None or not all(map(math.isfinite, interval)):
        return None
    return float(interval[0]), float(interval[1])
