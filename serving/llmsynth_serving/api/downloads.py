"""Sends a stored file, whole or in part (RFC 9110, section 14), in memory that does not grow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.response import Stream

from llmsynth_serving.api.problems import problem
from llmsynth_serving.storage import Storage

BLOCK_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})$")


def ranged(
    request: Request[Any, Any, Any],
    storage: Storage,
    path: str,
    *,
    etag: str,
    media_type: str,
    filename: str,
) -> Response[Any]:
    """An answer with the bytes that were asked for.

    Args:
        etag: changes when the file does; a part asked for with another one gets the whole.
    """
    size = storage.size(path)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    wanted = request.headers.get("range")
    if wanted and request.headers.get("if-range", etag) == etag:
        part = _part(wanted, size)
        if part == "outside":
            headers = {"Content-Range": f"bytes */{size}"}
            return problem(416, f"The file has {size} bytes.", headers=headers)
        if isinstance(part, tuple):
            first, last = part
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
            return _stream(storage, path, first, last, 206, media_type, headers)
    return _stream(storage, path, 0, size - 1, 200, media_type, headers)


def _part(wanted: str, size: int) -> tuple[int, int] | str:
    """First and last byte; `outside` where there are none, `whole` where it is no single range."""
    found = _RANGE.match(wanted.replace(" ", ""))
    if found is None or found[1] == found[2] == "":
        return "whole"
    if not found[1]:
        first, last = max(size - int(found[2]), 0), size - 1
        return (first, last) if int(found[2]) and size else "outside"
    first = int(found[1])
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    if found[2] and int(found[2]) < first:
        return "whole"
    return (first, last) if first < size else "outside"


def _stream(
    storage: Storage,
    path: str,
    first: int,
    last: int,
    status: int,
    media_type: str,
    headers: dict[str, str],
) -> Response[Any]:
    # As a header: the framework takes the handler's one type over a stream's own.
    headers["Content-Type"] = media_type
    headers["Content-Length"] = str(last - first + 1)
    return Stream(
        _blocks(storage, path, first, last),
        status_code=status,
        media_type=media_type,
        headers=headers,
    )


def _blocks(storage: Storage, path: str, first: int, last: int) -> Iterator[bytes]:
    with storage.open(path) as file:
        file.seek(first)
        left = last - first + 1
        while left > 0 and (block := file.read(min(BLOCK_BYTES, left))):
            left -= len(block)
            yield block
