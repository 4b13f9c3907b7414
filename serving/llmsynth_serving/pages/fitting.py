"""The form that starts a fit: nothing has to be filled in, and everything can be."""

from __future__ import annotations

import json
from typing import Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath

from llmsynth.errors import LlmsynthError
from llmsynth.models.model_names import PACKAGED, pulled
from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.api.orders import FitOrder
from llmsynth_serving.database.records import Job, Table
from llmsynth_serving.objects import jobs, tables
from llmsynth_serving.pages.asking import Asked, Filled, found, service_of
from llmsynth_serving.pages.forms import Form, attempted, lines, order, ordered, text
from llmsynth_serving.pages.rendering import page
from llmsynth_serving.pages.schemas import rules_of, with_rules

COMPACT = "compact"
QUICK_EPOCHS = 1.0
"""Passes over the rows of a quick look."""


class FittingPages(Controller):
    """`/tables/{table_id}/fit`."""

    path = "/tables/{table_id:str}/fit"
    guards = (requires("write"),)

    @get(sync_to_thread=True)
    def show(self, request: Asked, table_id: FromPath[str]) -> Response[Any]:
        """The form."""
        table = found(request, Table, table_id)
        return _form(request, table, _usual(table))

    @post(status_code=200, sync_to_thread=True)
    def fit(self, request: Asked, table_id: FromPath[str], data: Filled) -> Response[Any]:
        """Order the fit, after the rules of the form went into the table's schema."""
        table = found(request, Table, table_id)

        def act() -> Response[Any]:
            wanted = order(FitOrder, data, table_id=table.id, **_pace(data))
            _keep_rules(request, table, lines(data, "rules"))
            return ordered(request, data, lambda caller: _order(request, caller, wanted))

        def again(error: LlmsynthError, status: int) -> Response[Any]:
            return _form(request, table, data, error=error, status=status)

        return attempted(act, again)


def _order(request: Asked, caller: Caller, wanted: FitOrder) -> Job:
    return jobs.order_fit(
        service_of(request),
        caller,
        table_id=wanted.table_id,
        name=wanted.name,
        settings=wanted.settings(),
    )


def _keep_rules(request: Asked, table: Table, rules: list[str]) -> None:
    if rules != rules_of(table):
        schema = json.dumps(with_rules(table, rules))
        caller = request.user
        tables.correct_schema(service_of(request), caller, table.id, schema, version=table.version)


def _pace(form: Form) -> dict[str, Any]:
    """The quick look, where the form names no number of passes itself."""
    if text(form, "pace") == "quick" and not text(form, "max_epochs"):
        return {} if text(form, "epsilon") else {"max_epochs": QUICK_EPOCHS}
    return {}


def _usual(table: Table) -> Form:
    has_text = any(column["kind"] == "text" for column in table.schema["columns"])
    return {
        "name": table.name,
        "pace": "usual",
        "drop_text": "true" if has_text else "",
        "rules": "\n".join(rules_of(table)),
    }


def _form(
    request: Asked,
    table: Table,
    filled: Form,
    *,
    error: LlmsynthError | None = None,
    status: int = 200,
) -> Response[Any]:
    columns = table.schema["columns"]
    return page(
        request,
        "fit.html",
        status=status,
        table=table,
        filled=filled,
        targets=[c["name"] for c in columns if c["kind"] not in ("text", "identifier")],
        names=[c["name"] for c in columns],
        texts=[c["name"] for c in columns if c["kind"] == "text"],
        models=[COMPACT, *dict.fromkeys([*PACKAGED, *pulled()])],
        pulled=pulled(),
        error=error,
    )
