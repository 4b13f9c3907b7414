"""Versions of objects as ETags: who has the newest need not read it, nor overwrite a newer one."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from litestar import Request, Response

from llmsynth_serving.objects.refusals import ChangedMeanwhileError

T = TypeVar("T")


def tagged(request: Request[Any, Any, Any], content: T, version: int) -> Response[T]:
    """An answer with the version as its ETag; without a body where the caller has it already."""
    tag = f'"{version}"'
    if tag in [part.strip() for part in request.headers.get("if-none-match", "").split(",")]:
        return Response(None, status_code=304, headers={"ETag": tag})  # type: ignore[arg-type]
    return Response(content, headers={"ETag": tag})


def expected_version(request: Request[Any, Any, Any]) -> int | None:
    """The version that If-Match names; None where any will do.

    Raises:
        ChangedMeanwhileError: it names what was never a version.
    """
    given = request.headers.get("if-match", "*").strip()
    if given == "*":
        return None
    found = re.fullmatch(r'"(\d{1,9})"', given)
    if found is None:
        raise ChangedMeanwhileError("If-Match names no version of this object.")
    return int(found[1])
