"""The forms that rebalance a table and that fill its gaps."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery

from llmsynth.errors import LlmsynthError
from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.orders import ImputeOrder, RebalanceOrder
from llmsynth_serving.database.records import Table
from llmsynth_serving.objects import use_orders
from llmsynth_serving.objects.refusals import RefusedInputError
from llmsynth_serving.pages.asking import Asked, Filled, choices, found, service_of
from llmsynth_serving.pages.forms import (
    Form,
    attempted,
    many,
    one_of,
    order,
    ordered,
    percent,
    text,
)
from llmsynth_serving.pages.rendering import page

GROUP = "group:"
MOST_CLASSES = 40
RANGED = ("number", "date", "datetime")
Json = dict[str, Any]


class RebalancePages(Controller):
    """`/tables/{table_id}/rebalance`."""

    path = "/tables/{table_id:str}/rebalance"
    guards = (requires("write"),)

    @get(sync_to_thread=True)
    def show(
        self, request: Asked, table_id: FromPath[str], column: FromQuery[str | None] = None
    ) -> Response[Any]:
        """The form."""
        return _rebalance_form(request, found(request, Table, table_id), {"column": column})

    @get("/classes", sync_to_thread=True)
    def classes(
        self, request: Asked, table_id: FromPath[str], column: FromQuery[str | None] = None
    ) -> Response[Any]:
        """The classes of the chosen column."""
        table = found(request, Table, table_id)
        return page(request, "classes.html", classes=_classes(table, column), filled={})

    @post(status_code=200, sync_to_thread=True)
    def rebalance(self, request: Asked, table_id: FromPath[str], data: Filled) -> Response[Any]:
        """Order the rebalancing."""
        table = found(request, Table, table_id)

        def act() -> Response[Any]:
            wanted = order(
                RebalanceOrder,
                data,
                table_id=table.id,
                groups=_groups(data),
                test_share=percent(data, "test_percent", 25),
            )
            asked = {
                "groups": [{"where": group.where, "share": group.share} for group in wanted.groups],
                **{
                    name: getattr(wanted, name)
                    for name in (
                        "table_id",
                        "test_id",
                        "name",
                        "test_share",
                        "method",
                        "relabel",
                        "origin",
                        "num_seeds",
                    )
                },
            }
            return ordered(
                request,
                data,
                lambda caller: use_orders.order_rebalancing(
                    service_of(request), caller, settings=wanted.settings(), **asked
                ),
            )

        def again(error: LlmsynthError, status: int) -> Response[Any]:
            return _rebalance_form(request, table, data, error=error, status=status)

        return attempted(act, again)


class ImputePages(Controller):
    """`/tables/{table_id}/impute`."""

    path = "/tables/{table_id:str}/impute"
    guards = (requires("write"),)

    @get(sync_to_thread=True)
    def show(self, request: Asked, table_id: FromPath[str]) -> Response[Any]:
        """The form."""
        return _impute_form(request, found(request, Table, table_id), {})

    @post(status_code=200, sync_to_thread=True)
    def impute(self, request: Asked, table_id: FromPath[str], data: Filled) -> Response[Any]:
        """Order the imputation."""
        table = found(request, Table, table_id)

        def act() -> Response[Any]:
            wanted = order(ImputeOrder, data, table_id=table.id, columns=many(data, "columns"))
            return ordered(
                request,
                data,
                lambda caller: use_orders.order_imputation(
                    service_of(request),
                    caller,
                    table_id=wanted.table_id,
                    name=wanted.name,
                    draws=wanted.draws,
                    columns=wanted.columns,
                    settings=wanted.settings(),
                ),
            )

        def again(error: LlmsynthError, status: int) -> Response[Any]:
            return _impute_form(request, table, data, error=error, status=status)

        return attempted(act, again)


def _rebalance_form(
    request: Asked,
    table: Table,
    filled: Form,
    *,
    error: LlmsynthError | None = None,
    status: int = 200,
) -> Response[Any]:
    columns = table.schema["columns"]
    classed = [c["name"] for c in columns if c["kind"] in ("category", "boolean")]
    chosen = one_of(text(filled, "column"), classed)
    return page(
        request,
        "rebalance.html",
        status=status,
        table=table,
        classed=classed,
        ranged=[c["name"] for c in columns if c["kind"] in RANGED],
        chosen=chosen,
        classes=_classes(table, chosen),
        tests=[one for one in _real(request) if one.id != table.id],
        has_text=any(column["kind"] == "text" for column in columns),
        filled=filled,
        error=error,
    )


def _impute_form(
    request: Asked,
    table: Table,
    filled: Form,
    *,
    error: LlmsynthError | None = None,
    status: int = 200,
) -> Response[Any]:
    shapes = table.profile.get("columns", [])
    texts = {column["name"] for column in table.schema["columns"] if column["kind"] == "text"}
    gaps = [
        (shape["name"], shape["missing"])
        for shape in shapes
        if shape.get("missing") and shape["name"] not in texts
    ]
    return page(
        request,
        "impute.html",
        status=status,
        table=table,
        gaps=gaps,
        ticked=many(filled, "columns"),
        filled=filled,
        error=error,
    )


def _real(request: Asked) -> list[Table]:
    return choices(request, Table, origin="upload")


def _classes(table: Table, column: str | None) -> list[tuple[str, float]]:
    """Values of a column with the share of rows that hold them, the rarest first."""
    shapes = {shape["name"]: shape for shape in table.profile.get("columns", [])}
    counts = shapes.get(column or "", {}).get("top", [])
    known = [(value, count / max(table.num_rows, 1)) for value, count in counts]
    return sorted(known, key=lambda one: one[1])[:MOST_CLASSES]


def _groups(form: Form) -> list[Json]:
    """The groups that were given a share: values of a column, and one range of another.

    Raises:
        RefusedInputError: none, or a share that is no percentage.
    """
    column = text(form, "column")
    groups: list[Json] = [
        {"where": {column: name.removeprefix(GROUP)}, "share": percent(form, name)}
        for name in form
        if column and name.startswith(GROUP) and text(form, name) is not None
    ]
    if ranged := text(form, "range_column"):
        ends = {"minimum": text(form, "range_minimum"), "maximum": text(form, "range_maximum")}
        ends = {name: value for name, value in ends.items() if value is not None}
        if not ends:
            raise RefusedInputError(f"Give the smallest or the largest value of {ranged!r}.")
        groups.append({"where": {ranged: ends}, "share": percent(form, "range_percent")})
    if not groups:
        raise RefusedInputError("Give at least one group the share that it is to have.")
    return groups
