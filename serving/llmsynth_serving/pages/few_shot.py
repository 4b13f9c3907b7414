"""The playground: words, columns and a few example rows become a table."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import asdict
from typing import Any

from litestar import Controller, Response, get, post

from llmsynth.errors import LlmsynthError
from llmsynth.models.model_names import PACKAGED, pulled
from llmsynth.schema.columns import KINDS
from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.orders import FewShotOrder
from llmsynth_serving.database.records import Table
from llmsynth_serving.objects import few_shot_orders
from llmsynth_serving.objects.refusals import RefusedInputError
from llmsynth_serving.pages.asking import Asked, Filled, choices, found_or_none, service_of
from llmsynth_serving.pages.forms import (
    Form,
    attempted,
    lines,
    order,
    ordered,
    percent,
    text,
)
from llmsynth_serving.pages.rendering import page

FIRST_COLUMNS, MORE_COLUMNS, MOST_COLUMNS = 4, 4, 60
KIND_NAMES = tuple(KINDS)
_FROM_TO = re.compile(r"(.+?)\s*(?:\.\.|\bto\b)\s*(.+)")
_QUOTA = re.compile(r"(.+?)\s*=\s*(.+?)\s*:\s*([\d.]+)\s*%?")
Json = dict[str, Any]
INSTRUCTION = "Patients of a small clinic, with what brought them there."
COLUMNS = (
    ("age", "number", "0 to 95", "in years"),
    ("sex", "category", "female, male", ""),
    ("complaint", "category", "cough, back pain, headache, check-up", "why they came"),
)
"""Something to begin with: name, kind, values and meaning of each column."""


class FewShotPages(Controller):
    """`/few-shot`."""

    path = "/few-shot"
    guards = (requires("write"),)

    @get(sync_to_thread=True)
    def show(self, request: Asked) -> Response[Any]:
        """The form, with something to begin with, or with a table's columns."""
        asked = dict(request.query_params)
        table = found_or_none(request, Table, text(asked, "table_id"))
        return _form(request, _of_table(table) if table else _started())

    @post(status_code=200, sync_to_thread=True)
    def few_shot(self, request: Asked, data: Filled) -> Response[Any]:
        """Order the rows; or show the form with more columns."""
        if text(data, "more"):
            return _form(request, data, more=True)

        def act() -> Response[Any]:
            wanted = order(
                FewShotOrder,
                data,
                schema=_schema(data),
                examples=_examples(text(data, "examples") or ""),
                quotas=_quotas(lines(data, "quotas")),
            )
            return ordered(
                request,
                data,
                lambda caller: few_shot_orders.order_few_shot(
                    service_of(request), caller, **asdict(wanted)
                ),
            )

        def again(error: LlmsynthError, status: int) -> Response[Any]:
            return _form(request, data, error=error, status=status)

        return attempted(act, again)


def _form(
    request: Asked,
    filled: Form,
    *,
    more: bool = False,
    error: LlmsynthError | None = None,
    status: int = 200,
) -> Response[Any]:
    used = [number for number in range(MOST_COLUMNS) if f"{number}.kind" in filled]
    count = max(used, default=-1) + 1
    count = min(count + MORE_COLUMNS if more else max(count, FIRST_COLUMNS), MOST_COLUMNS)
    return page(
        request,
        "few_shot.html",
        status=status,
        filled=filled,
        numbers=range(count),
        kinds=KIND_NAMES,
        tables=choices(request, Table),
        models=list(dict.fromkeys([*PACKAGED, *pulled()])),
        pulled=pulled(),
        error=error,
    )


def _started() -> Json:
    filled: Json = {"instruction": INSTRUCTION}
    for number, column in enumerate(COLUMNS):
        parts = zip(("name", "kind", "values", "meaning"), column, strict=True)
        filled |= {f"{number}.{part}": value for part, value in parts}
    return filled


def _of_table(table: Table) -> Json:
    """A form that draws more of a table, by its schema and its rows."""
    return {
        "schema_table_id": table.id,
        "examples_table_id": table.id,
        "name": f"like {table.name}",
    }


def _schema(form: Form) -> Json | None:
    """The columns of the form as a schema; None where it names none.

    Raises:
        RefusedInputError: a column without what its kind needs.
    """
    if text(form, "schema_table_id"):
        return None
    columns = [
        _column(form, number, name)
        for number in range(MOST_COLUMNS)
        if (name := text(form, f"{number}.name")) is not None
    ]
    return {"columns": columns} if columns else None


def _column(form: Form, number: int, name: str) -> Json:
    kind = text(form, f"{number}.kind") or "category"
    values = text(form, f"{number}.values") or ""
    column: Json = {"name": name, "kind": kind}
    if meaning := text(form, f"{number}.meaning"):
        column["description"] = meaning
    if kind == "category":
        column["categories"] = [part.strip() for part in values.split(",") if part.strip()]
        if not column["categories"]:
            raise RefusedInputError(f"{name}: list its categories, with commas between them.")
    elif kind in ("number", "date", "datetime"):
        ends = _FROM_TO.fullmatch(values)
        if ends is None:
            raise RefusedInputError(f"{name}: say from where to where, e.g. `0 to 100`.")
        column |= {"minimum": ends[1], "maximum": ends[2]}
        decimals = max(len(end.partition(".")[2]) for end in ends.groups())
        if kind == "number" and decimals:
            column |= {"scale": decimals, "storage": "double"}
    elif kind == "identifier" and values:
        column["pattern"] = values
    elif kind == "text":
        column["maximum_length"] = int(values) if values.isdecimal() else 200
    return column


def _examples(written: str) -> list[Json]:
    """Rows in the form of a CSV file; an empty cell is missing.

    Raises:
        RefusedInputError: a row of another length than the header.
    """
    rows = [row for row in csv.reader(io.StringIO(written)) if row]
    if not rows:
        return []
    header = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise RefusedInputError(
                f"Examples: line {number} has {len(row)} cells, the header has {len(header)}."
            )
    return [
        {name: cell.strip() or None for name, cell in zip(header, row, strict=True)}
        for row in rows[1:]
    ]


def _quotas(written: list[str]) -> dict[str, dict[str, float]]:
    """Lines such as `sex = female: 60%`.

    Raises:
        RefusedInputError: a line that is none of that.
    """
    quotas: dict[str, dict[str, float]] = {}
    for line in written:
        found = _QUOTA.fullmatch(line)
        if found is None:
            raise RefusedInputError(f"Shares: {line!r} is not like `sex = female: 60%`.")
        share = percent({"share": found[3]}, "share")
        quotas.setdefault(found[1], {})[found[2]] = share
    return quotas
