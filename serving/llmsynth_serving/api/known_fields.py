"""Refuses fields and parameters that nothing knows: a misspelt `epsilon` must not be ignored."""

from __future__ import annotations

import difflib
import types
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from litestar import Request
from litestar.exceptions import SerializationException
from litestar.params import BodyKwarg, QueryParameter

from llmsynth_serving.objects.refusals import RefusedInputError

API = "/v1/"
"""Requests below it; the pages send forms of their own."""


class UnknownFieldError(RefusedInputError):
    """A field or parameter that the request's route does not know."""


def check_fields(order: type, value: object, *, at: str = "") -> None:
    """Hold a JSON value against the dataclass that it is to become, parts within parts.

    Values of another type than expected are left to whoever decodes them.

    Raises:
        UnknownFieldError: a field that the class lacks; names the nearest that it has.
    """
    if is_dataclass(order) and isinstance(value, Mapping):
        hints = get_type_hints(order)
        known = [field.name for field in fields(order)]
        for name, part in value.items():
            path = f"{at}.{name}" if at else str(name)
            if name not in known:
                raise _unknown("field", path, str(name), known)
            check_fields(hints[str(name)], part, at=path)
    elif get_origin(order) in (Union, types.UnionType):
        for option in get_args(order):
            check_fields(option, value, at=at)
    elif get_origin(order) is list and isinstance(value, list):
        for index, item in enumerate(value):
            check_fields(get_args(order)[0], item, at=f"{at}[{index}]")


async def refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """Check a request to the API before its handler runs: its parameters, then its document.

    Raises:
        UnknownFieldError: see `check_fields`.
    """
    if not request.scope["path"].startswith(API):
        return
    taken = request.route_handler.parsed_fn_signature.parameters
    queries = [
        part.kwarg_definition.name or name
        for name, part in taken.items()
        if isinstance(part.kwarg_definition, QueryParameter)
    ]
    for name in request.query_params:
        if name not in queries:
            raise _unknown("query parameter", name, name, queries)
    body = taken.get("data")
    if body is None or not isinstance(body.kwarg_definition, BodyKwarg):
        return
    try:
        document = await request.json()
    except SerializationException:
        # What is no JSON is refused by whoever decodes it.
        return
    check_fields(body.annotation, document)


def _unknown(what: str, path: str, name: str, known: Collection[str]) -> UnknownFieldError:
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"Did you mean {near[0]!r}? " if near else ""
    listed = f"Known are {', '.join(sorted(known))}." if known else "None is known here."
    return UnknownFieldError(f"Unknown {what} {path!r}.", hint=meant + listed)
