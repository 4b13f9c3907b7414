"""The schema editor: what a table's columns mean, corrected by the person who knows."""

from __future__ import annotations

import json
from typing import Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery

from llmsynth.errors import LlmsynthError
from llmsynth.schema.columns import KINDS, DatetimeColumn
from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.database.records import Table
from llmsynth_serving.objects import tables
from llmsynth_serving.objects.column_kinds import as_kind
from llmsynth_serving.objects.refusals import RefusedInputError
from llmsynth_serving.pages import snippets
from llmsynth_serving.pages.asking import Asked, Filled, caller_of, found, service_of
from llmsynth_serving.pages.forms import Form, attempted, go, lines, text
from llmsynth_serving.pages.rendering import page
from llmsynth_serving.pages.rules import read_rules, written

COLUMNS_A_PAGE = 40
_TEXTS = ("minimum", "maximum", "format", "resolution", "pattern", "true_text", "false_text")
_NUMBERS = ("scale", "maximum_length")
Json = dict[str, Any]


class SchemaPages(Controller):
    """`/tables/{table_id}/schema`."""

    path = "/tables/{table_id:str}/schema"
    guards = (requires("read"),)

    @get(sync_to_thread=True)
    def show(
        self,
        request: Asked,
        table_id: FromPath[str],
        first: FromQuery[int] = 0,
        saved: FromQuery[int] = 0,
    ) -> Response[Any]:
        """The form, some columns at a time."""
        table = found(request, Table, table_id)
        return _form(request, table, table.schema, first=max(first, 0), saved=bool(saved))

    @get("/column", sync_to_thread=True)
    def column(
        self, request: Asked, table_id: FromPath[str], number: FromQuery[int]
    ) -> Response[Any]:
        """One column's fields after another kind was chosen for it."""
        table = found(request, Table, table_id)
        kind = request.query_params.get(f"{number}.kind", "")
        names = [column["name"] for column in table.schema["columns"]]
        if not 0 <= number < len(names) or kind not in KINDS:
            raise RefusedInputError("There is no such column or kind.")
        error = None
        try:
            column = as_kind(service_of(request), table, names[number], kind)
        except LlmsynthError as found_error:
            column, error = table.schema["columns"][number], found_error
        return page(
            request,
            "schema_column.html",
            table=table,
            column=column,
            number=number,
            kinds=tuple(KINDS),
            resolutions=DatetimeColumn.RESOLUTIONS,
            error=error,
        )

    @post(guards=[requires("write")], status_code=200, sync_to_thread=True)
    def save(self, request: Asked, table_id: FromPath[str], data: Filled) -> Response[Any]:
        """Correct the schema, unless somebody else did so meanwhile."""
        table = found(request, Table, table_id)
        first = int(_whole("First column", text(data, "first") or "0"))
        changed = dict(table.schema)

        def act() -> Response[Any]:
            service = service_of(request)
            changed["columns"] = [
                _column(data, number, column, table, request) if _has(data, number) else column
                for number, column in enumerate(table.schema["columns"])
            ]
            changed["constraints"] = _constraints(table, lines(data, "rules"))
            version = _whole("Version", text(data, "version") or "")
            tables.correct_schema(
                service, caller_of(request), table_id, json.dumps(changed), version=version
            )
            return go(request, f"/tables/{table_id}/schema?saved=1&first={first}")

        def again(error: LlmsynthError, status: int) -> Response[Any]:
            return _form(request, table, changed, first=first, error=error, status=status)

        return attempted(act, again)


def rules_of(table: Table) -> list[str]:
    """The table's constraints as lines."""
    return [written(rule) for rule in table.schema.get("constraints", [])]


def with_rules(table: Table, rules: list[str]) -> Json:
    """The table's schema with these constraints in place of its own.

    Raises:
        RefusedInputError: a line that is no rule.
    """
    return {**table.schema, "constraints": _constraints(table, rules)}


def _constraints(table: Table, rules: list[str]) -> list[Json]:
    known = {written(rule): rule for rule in table.schema.get("constraints", [])}
    # A rule that was there keeps what its line does not show, e.g. the combinations it allows.
    return [known[line] if line in known else read_rules([line])[0] for line in rules]


def _form(
    request: Asked,
    table: Table,
    schema: Json,
    *,
    first: int,
    saved: bool = False,
    error: LlmsynthError | None = None,
    status: int = 200,
) -> Response[Any]:
    columns = schema["columns"]
    call = snippets.snippet(
        request,
        "PUT",
        f"/v1/tables/{table.id}/schema",
        verb="service.correct_schema(TABLE, json.load(open('schema.json')))".replace(
            "TABLE", repr(table.id)
        ),
        options="--data @schema.json -H 'Content-Type: application/json'",
    )
    return page(
        request,
        "schema.html",
        status=status,
        table=table,
        columns=list(enumerate(columns))[first : first + COLUMNS_A_PAGE],
        first=first,
        step=COLUMNS_A_PAGE,
        total=len(columns),
        rules=[written(rule) for rule in schema.get("constraints", [])],
        kinds=tuple(KINDS),
        resolutions=DatetimeColumn.RESOLUTIONS,
        saved=saved,
        error=error,
        snippet=call if saved else None,
    )


def _has(form: Form, number: int) -> bool:
    return f"{number}.kind" in form


def _column(form: Form, number: int, known: Json, table: Table, request: Asked) -> Json:
    """A column as its fields say; fields that the form does not show stay as they are."""
    kind = text(form, f"{number}.kind") or known["kind"]
    column = dict(known)
    if kind != known["kind"]:
        column = as_kind(service_of(request), table, known["name"], kind)
    is_shown = text(form, f"{number}.shown") == kind
    column["nullable"] = text(form, f"{number}.nullable") is not None
    column["description"] = text(form, f"{number}.description") or ""
    if (personal := text(form, f"{number}.personal")) is not None:
        column["personal"] = "" if personal == "found" else personal
    if not is_shown:
        return column  # the fields on the page were those of the old kind
    for field in _TEXTS:
        if (value := text(form, f"{number}.{field}")) is not None:
            column[field] = value
    for field in _NUMBERS:
        if (value := text(form, f"{number}.{field}")) is not None:
            column[field] = _whole(f"{known['name']}, {field.replace('_', ' ')}", value)
    if kind == "category" and f"{number}.categories" in form:
        given = str(form[f"{number}.categories"]).splitlines()
        # One that holds a line's end itself is only taken apart where somebody changed the list.
        if given != "\n".join(column.get("categories", ())).splitlines():
            column["categories"] = given
    if kind == "identifier":
        column["unique"] = text(form, f"{number}.unique") is not None
    return column


def _whole(name: str, value: str) -> int:
    if not value.isdecimal() or len(value) > 9:
        raise RefusedInputError(f"{name} must be a whole number, got {value!r}.")
    return int(value)
