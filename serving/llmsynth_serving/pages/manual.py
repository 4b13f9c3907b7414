"""The API on one page, made from its own OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from litestar import Controller, Litestar, Response, get

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.description import completed
from llmsynth_serving.pages.asking import Asked
from llmsynth_serving.pages.rendering import page

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A method of a path."""

    method: str
    path: str
    about: str
    parameters: list[Json]
    order: str | None
    """Name of the document that it takes."""
    answers: list[tuple[str, str]]
    """Status, and what it means."""


class ManualPages(Controller):
    """`/manual`."""

    path = "/manual"
    guards = (requires("read"),)

    @get(sync_to_thread=True)
    def show(self, request: Asked) -> Response[Any]:
        """Every endpoint with its parameters, and every document with its fields."""
        groups, documents = _manual(request.app)
        return page(request, "manual.html", groups=groups, documents=documents)


@lru_cache(maxsize=1)
def _manual(app: Litestar) -> tuple[dict[str, list[Endpoint]], dict[str, Json]]:
    document = completed(app.openapi_schema.to_schema())
    groups: dict[str, list[Endpoint]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            group = (operation.get("tags") or ["service"])[0]
            groups.setdefault(group, []).append(_endpoint(method, path, operation))
    return groups, {n: _document(s) for n, s in document["components"]["schemas"].items()}


def _endpoint(method: str, path: str, operation: Json) -> Endpoint:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return Endpoint(
        method=method.upper(),
        path=path,
        about=operation.get("description") or operation.get("summary", ""),
        parameters=operation.get("parameters", []),
        order=reference.rsplit("/", 1)[-1] or None,
        answers=[
            (code, one.get("description", "")) for code, one in operation["responses"].items()
        ],
    )


def _document(schema: Json) -> Json:
    """A document's fields, each with its type and limits in words, and one example."""
    needed = schema.get("required", [])
    fields = [
        (name, _type(part), part.get("description", ""), name in needed)
        for name, part in schema.get("properties", {}).items()
    ]
    examples = schema.get("examples") or []
    about = schema.get("description", "")
    return {"about": about, "fields": fields, "example": examples[0] if examples else None}


def _type(part: Json) -> str:
    if "$ref" in part:
        return str(part["$ref"]).rsplit("/", 1)[-1]
    options = part.get("oneOf") or part.get("anyOf")
    if options:
        return " or ".join(_type(option) for option in options)
    if "enum" in part:
        return " or ".join(map(str, part["enum"]))
    kind = part.get("type", "any")
    named = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if named == "array":
        return f"list of {_type(part.get('items', {}))}"
    limits = [
        f"{sign} {part[word]}"
        for word, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if word in part
    ]
    return f"{named} {' and '.join(limits)}".strip()
