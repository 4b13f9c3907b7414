"""The form that orders rows: how many, under which conditions, in which shares."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath

from llmsynth.errors import LlmsynthError
from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.orders import SampleOrder
from llmsynth_serving.database.records import Synthesizer, Table
from llmsynth_serving.objects import jobs
from llmsynth_serving.pages.asking import Asked, Filled, found, found_or_none, service_of
from llmsynth_serving.pages.forms import (
    QUOTA,
    Form,
    attempted,
    conditions,
    one_of,
    order,
    ordered,
    quotas,
    text,
)
from llmsynth_serving.pages.rendering import page

CLASSED = ("category", "boolean")
GIVEN = ("category", "boolean", "number", "date", "datetime")
MOST_SLIDERS, MOST_CHOICES, MOST_CONDITIONS = 12, 200, 80
USUAL_ROWS = 1_000
Json = dict[str, Any]


class SamplingPages(Controller):
    """`/synthesizers/{synthesizer_id}/sample`."""

    path = "/synthesizers/{synthesizer_id:str}/sample"
    guards = (requires("write"),)

    @get(sync_to_thread=True)
    def show(self, request: Asked, synthesizer_id: FromPath[str]) -> Response[Any]:
        """The form; a column chosen for its shares comes as a query."""
        synthesizer = found(request, Synthesizer, synthesizer_id)
        return _form(request, synthesizer, dict(request.query_params))

    @get("/quotas", sync_to_thread=True)
    def sliders(self, request: Asked, synthesizer_id: FromPath[str]) -> Response[Any]:
        """The sliders of the chosen column."""
        synthesizer = found(request, Synthesizer, synthesizer_id)
        columns, shapes = _columns(request, synthesizer)
        chosen = _chosen(columns, dict(request.query_params))
        sliders = _sliders(columns, shapes, chosen, {})
        return page(request, "quotas.html", quota_column=chosen, sliders=sliders)

    @post(status_code=200, sync_to_thread=True)
    def sample(self, request: Asked, synthesizer_id: FromPath[str], data: Filled) -> Response[Any]:
        """Order the rows."""
        synthesizer = found(request, Synthesizer, synthesizer_id)

        def act() -> Response[Any]:
            wanted = order(
                SampleOrder,
                data,
                synthesizer_id=synthesizer.id,
                where=conditions(data),
                quotas=quotas(data),
            )
            return ordered(
                request,
                data,
                lambda caller: jobs.order_sample(service_of(request), caller, **asdict(wanted)),
            )

        def again(error: LlmsynthError, status: int) -> Response[Any]:
            return _form(request, synthesizer, data, error=error, status=status)

        return attempted(act, again)


def _form(
    request: Asked,
    synthesizer: Synthesizer,
    filled: Form,
    *,
    error: LlmsynthError | None = None,
    status: int = 200,
) -> Response[Any]:
    columns, shapes = _columns(request, synthesizer)
    chosen = _chosen(columns, filled)
    return page(
        request,
        "sample.html",
        status=status,
        synthesizer=synthesizer,
        columns=[c for c in columns if c["kind"] in GIVEN][:MOST_CONDITIONS],
        classed=[c["name"] for c in columns if c["kind"] in CLASSED],
        most_choices=MOST_CHOICES,
        quota_column=chosen,
        sliders=_sliders(columns, shapes, chosen, filled),
        usual_rows=USUAL_ROWS,
        filled=filled,
        error=error,
    )


def _columns(request: Asked, synthesizer: Synthesizer) -> tuple[list[Json], dict[str, Json]]:
    """Columns and shapes of the table that was learned, while it is there."""
    table = found_or_none(request, Table, synthesizer.table_id)
    if table is None:
        return [], {}
    shapes = {shape["name"]: shape for shape in table.profile.get("columns", [])}
    return table.schema["columns"], shapes


def _chosen(columns: list[Json], filled: Form) -> str | None:
    classed = [column["name"] for column in columns if column["kind"] in CLASSED]
    return one_of(text(filled, "quota_column"), classed)


def _sliders(
    columns: list[Json], shapes: dict[str, Json], chosen: str | None, filled: Form
) -> list[tuple[str, int]]:
    """Values of the chosen column with their shares in percent: as filled in, else as learned."""
    if chosen is None:
        return []
    column = next(column for column in columns if column["name"] == chosen)
    counts = dict(shapes.get(chosen, {}).get("top", []))
    values = column.get("categories") or [
        column.get("true_text", "true"),
        column.get("false_text", "false"),
    ]
    ranked = sorted(values, key=lambda value: -counts.get(value, 0))[:MOST_SLIDERS]
    total = sum(counts.get(value, 0) for value in ranked) or 1
    return [
        (value, _percent(text(filled, QUOTA + value), 100 * counts.get(value, 0) / total))
        for value in ranked
    ]


def _percent(given: str | None, usual: float) -> int:
    return int(given) if given and given.isdecimal() and len(given) < 4 else round(usual)
