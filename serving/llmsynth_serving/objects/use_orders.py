"""Orders for the uses: rebalancing a table, filling in its gaps."""

from __future__ import annotations

import math
from typing import Any

from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import Job, Table, new_id
from llmsynth_serving.objects.jobs import add_job, check_rows, submitted
from llmsynth_serving.objects.ownership import find
from llmsynth_serving.objects.refusals import RefusedInputError
from llmsynth_serving.service import Service


def order_rebalancing(
    service: Service,
    caller: Caller,
    *,
    table_id: str,
    test_id: str | None,
    name: str,
    groups: list[dict[str, Any]],
    method: str,
    settings: dict[str, Any],
    **order: Any,
) -> Job:
    """Queue a rebalancing; it makes a table and a report.

    Raises:
        RefusedInputError: shares of more than the whole, a table that is to judge itself, or real
            rows with free text to begin from.
        QuotaError: more rows than the key may still hold.
    """
    total = sum(group["share"] for group in groups)
    if total > 1 + 1e-9:
        raise RefusedInputError(f"groups: the shares add up to {total:g}, which is more than 1.")
    if test_id == table_id:
        raise RefusedInputError("table_id and test_id must name two tables.")
    with service.database.session() as session:
        table = find(session, Table, table_id, project_id=caller.project_id)
        if test_id is not None:
            find(session, Table, test_id, project_id=caller.project_id)
        kinds = {column["kind"] for column in table.schema["columns"]}
        if method == "redraw" and "text" in kinds and not settings["drop_text"]:
            raise RefusedInputError(
                "method: rows that begin from real ones would keep their free text; choose whole, "
                "or set drop_text."
            )
        smallest = min(group["share"] for group in groups)
        check_rows(session, caller, math.ceil(table.num_rows / max(1 - total, smallest, 0.05)))
        ids = {"source_id": table.id, "test_id": test_id}
        made = {"table_id": new_id(), "report_id": new_id()}
        spec = {**ids, **made, "groups": groups, "method": method, "settings": settings, **order}
        job = add_job(session, caller, kind="rebalance", name=name, spec=spec)
    return submitted(service, job)


def order_imputation(
    service: Service, caller: Caller, *, table_id: str, name: str, draws: int, **order: Any
) -> Job:
    """Queue an imputation; it makes a table.

    Raises:
        QuotaError: more rows than the key may still hold.
    """
    with service.database.session() as session:
        table = find(session, Table, table_id, project_id=caller.project_id)
        check_rows(session, caller, table.num_rows * draws)
        spec = {"source_id": table.id, "table_id": new_id(), "draws": draws, **order}
        job = add_job(session, caller, kind="impute", name=name, spec=spec)
    return submitted(service, job)
