"""Receives a file as a stream of bytes, in memory that does not grow with it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from litestar import Request
from litestar.datastructures import State

from llmsynth_serving.database.records import Table
from llmsynth_serving.objects.refusals import TooLargeError
from llmsynth_serving.objects.tables import arriving_file, take_in


async def received(
    request: Request[Any, Any, State], *, name: str, missing: list[str] | None
) -> Table:
    """The table that the request's body holds.

    Raises:
        TooLargeError: more bytes than the service takes; told as soon as it is known.
        RefusedInputError: the body is not a table.
    """
    service = request.app.state.service
    with arriving_file(service) as path:
        await _save(request, path, service.settings.max_upload_bytes)
        return await asyncio.to_thread(
            take_in, service, request.user, path, name=name, missing=missing
        )


async def _save(request: Request[Any, Any, State], path: Path, most: int) -> None:
    size = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise TooLargeError(f"The file is larger than the {most} bytes allowed.")
            file.write(chunk)
