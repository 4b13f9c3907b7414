"""Two synthesizers side by side, by the reports on what they wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromQuery

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.database.records import Job, Report, Synthesizer, Table
from llmsynth_serving.objects import reports
from llmsynth_serving.pages.asking import (
    Asked,
    caller_of,
    choices,
    found_or_none,
    service_of,
)
from llmsynth_serving.pages.rendering import page


# The parts of a report's published JSON that are shown here: the judges' own library would bring
# everything that they compute with into the process that answers requests.
@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number, beside the same of real rows."""

    name: str
    title: str
    goal: str
    meaning: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    floor: float | None = None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one metric found."""

    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """A metric's part of an evaluation."""

    measurement: Measurement


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything measured of one synthetic table."""

    num_rows: int
    results: tuple[Result, ...]

    @property
    def figures(self) -> dict[str, Figure]:
        """Every figure by its name."""
        return {f.name: f for result in self.results for f in result.measurement.figures}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A report."""

    evaluations: tuple[Evaluation, ...]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One synthesizer, the newest report on it, and what that holds."""

    synthesizer: Synthesizer
    report: Report | None
    evaluation: Evaluation | None
    judged_on: tuple[str, ...]
    """The real tables of the report, and the target."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure of both."""

    title: str
    meaning: str
    left: Figure
    right: Figure
    better: str
    """`left`, `right`, or nothing where the intervals do not tell them apart."""

    @property
    def scale(self) -> tuple[float, float]:
        """Both ends of what is drawn."""
        numbers = [0.0] if self.left.goal == "lower" else []
        for figure in (self.left, self.right):
            numbers += [figure.value or 0.0, *(figure.interval or ())]
            numbers += [figure.floor] if figure.floor is not None else []
        return min(numbers), max(numbers)


class ComparisonPages(Controller):
    """`/compare`."""

    path = "/compare"
    guards = (requires("read"),)

    @get(sync_to_thread=True)
    def show(
        self,
        request: Asked,
        a: FromQuery[str | None] = None,
        b: FromQuery[str | None] = None,
    ) -> Response[Any]:
        """The choice of two, and their figures."""
        known = [one for one in choices(request, Synthesizer) if one.state == "ready"]
        a = a or (known[0].id if known else None)
        b = b or (known[1].id if len(known) > 1 else None)
        sides = [_side(request, one) for one in (a, b)]
        left, right = sides
        lines = []
        if left and right and left.evaluation and right.evaluation:
            lines = _lines(left.evaluation, right.evaluation)
        return page(
            request,
            "compare.html",
            known=known,
            left=left,
            right=right,
            lines=lines,
            same=bool(left and right and left.judged_on == right.judged_on),
        )


def _side(request: Asked, synthesizer_id: str | None) -> Side | None:
    synthesizer = found_or_none(request, Synthesizer, synthesizer_id)
    if synthesizer is None:
        return None
    made = {table.id for table in choices(request, Table, synthesizer_id=synthesizer.id)}
    report = next((r for r in choices(request, Report) if r.table_id in made), None)
    job = found_or_none(request, Job, report.job_id) if report else None
    asked = job.spec if job else {}
    return Side(
        synthesizer=synthesizer,
        report=report,
        evaluation=_evaluation(request, report) if report else None,
        judged_on=tuple(str(asked.get(n)) for n in ("train_id", "holdout_id", "target")),
    )


def _evaluation(request: Asked, report: Report) -> Evaluation | None:
    text = reports.content(service_of(request), caller_of(request), report.id, "report.json")
    try:
        return msgspec.json.decode(text, type=Judged).evaluations[0]
    except (msgspec.DecodeError, IndexError):
        return None  # a report of another kind: on a rebalancing, or of an earlier version


def _lines(left: Evaluation, right: Evaluation) -> list[Line]:
    ours, theirs = left.figures, right.figures
    return [
        Line(
            title=figure.title,
            meaning=figure.meaning,
            left=figure,
            right=theirs[name],
            better=_better(figure, theirs[name]),
        )
        for name, figure in ours.items()
        if name in theirs and figure.value is not None and theirs[name].value is not None
    ]


def _better(left: Figure, right: Figure) -> str:
    """Which lies nearer to the goal, where the intervals are apart."""
    if not left.interval or not right.interval or left.goal == "reference":
        return ""
    if left.interval[0] <= right.interval[1] and right.interval[0] <= left.interval[1]:
        return ""
    distances = [_distance(figure) for figure in (left, right)]
    return "left" if distances[0] < distances[1] else "right"


def _distance(figure: Figure) -> float:
    value = figure.value or 0.0
    if figure.goal == "half":
        return abs(value - 0.5)
    return value if figure.goal == "lower" else -value
