"""A few rows at once, or a job where that would take too long."""

from __future__ import annotations

from typing import Any

from llmsynth_serving.accounts.audit import note
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import Job, Synthesizer
from llmsynth_serving.objects.jobs import order_sample
from llmsynth_serving.objects.ownership import find
from llmsynth_serving.objects.refusals import ConflictError, RefusedInputError
from llmsynth_serving.service import Service


def draw(
    service: Service,
    caller: Caller,
    *,
    synthesizer_id: str,
    patience: float | None = None,
    **order: Any,
) -> Any | Job:
    """Rows as columns, rows, seconds, is_partial; or the job that was ordered instead.

    Args:
        patience: seconds before a job is ordered; those of the settings when omitted.
        order: rows, where, seed, temperature, top_p.

    Raises:
        ConflictError: the synthesizer is not ready.
        RefusedInputError: more rows than are given at once, or a condition it cannot hold.
    """
    most = service.settings.max_small_rows
    if order["rows"] > most:
        raise RefusedInputError(f"At most {most} rows are drawn at once; order a sample instead.")
    with service.database.reading() as session:
        synthesizer = find(session, Synthesizer, synthesizer_id, project_id=caller.project_id)
    if synthesizer.state != "ready":
        raise ConflictError(f"The synthesizer is {synthesizer.state}, not ready.")
    asked = {"path": synthesizer.path, **order}
    answer = service.desk.ask(asked, seconds=patience or service.settings.small_rows_seconds)
    if answer is None:
        return order_sample(service, caller, synthesizer_id=synthesizer_id, name="rows", **order)
    if "error" in answer:
        raise RefusedInputError(answer["error"]["detail"], hint=answer["error"]["hint"])
    with service.database.session() as session:
        count = len(answer["rows"])
        note(session, caller, "draw rows", kind="synthesizer", object_id=synthesizer_id, rows=count)
    return answer
