"""The form that orders a report on a synthetic table beside real ones."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from litestar import Controller, Response, get, post

from llmsynth.errors import LlmsynthError
from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.orders import EvaluationOrder
from llmsynth_serving.database.records import Synthesizer, Table
from llmsynth_serving.objects import jobs
from llmsynth_serving.pages.asking import (
    Asked,
    Filled,
    choices,
    found_or_none,
    service_of,
)
from llmsynth_serving.pages.forms import Form, attempted, order, ordered, text
from llmsynth_serving.pages.rendering import page


class EvaluationPages(Controller):
    """`/evaluate`."""

    path = "/evaluate"
    guards = (requires("write"),)

    @get(sync_to_thread=True)
    def show(self, request: Asked) -> Response[Any]:
        """The form, with the tables that most likely belong together chosen already."""
        return _form(request, _likely(request, dict(request.query_params)))

    @post(status_code=200, sync_to_thread=True)
    def evaluate(self, request: Asked, data: Filled) -> Response[Any]:
        """Order the report."""

        def act() -> Response[Any]:
            wanted = order(EvaluationOrder, data)
            return ordered(
                request,
                data,
                lambda caller: jobs.order_evaluation(service_of(request), caller, **asdict(wanted)),
            )

        def again(error: LlmsynthError, status: int) -> Response[Any]:
            return _form(request, data, error=error, status=status)

        return attempted(act, again)


def _form(
    request: Asked, filled: Form, *, error: LlmsynthError | None = None, status: int = 200
) -> Response[Any]:
    tables = choices(request, Table)
    train = next((t for t in tables if t.id == text(filled, "train_id")), None)
    return page(
        request,
        "evaluate.html",
        status=status,
        synthetic=[table for table in tables if table.origin == "generated"],
        real=[table for table in tables if table.origin == "upload"],
        targets=_targets(train),
        filled=filled,
        error=error,
    )


def _targets(train: Table | None) -> list[str]:
    columns = train.schema["columns"] if train else []
    return [column["name"] for column in columns if column["kind"] not in ("text", "identifier")]


def _likely(request: Asked, asked: Form) -> Form:
    tables = choices(request, Table)
    made = [table for table in tables if table.origin == "generated"]
    synthetic = next(
        (t for t in made if t.id == text(asked, "table_id")), made[0] if made else None
    )
    if synthetic is None:
        return asked
    source = found_or_none(request, Synthesizer, synthetic.synthesizer_id)
    train_id = text(asked, "train_id") or (source.table_id if source else None) or ""
    filled = {"table_id": synthetic.id, "train_id": train_id, "name": synthetic.name}
    if source and source.settings.get("target"):
        filled["target"] = source.settings["target"]
    columns = _names(synthetic)
    others = [
        table
        for table in tables
        if table.origin == "upload" and table.id != train_id and columns <= _names(table)
    ]
    others.sort(key=lambda table: "holdout" not in table.name.lower())
    return {**filled, "holdout_id": others[0].id if others else "", **asked}


def _names(table: Table) -> set[str]:
    return {column["name"] for column in table.schema["columns"]}
