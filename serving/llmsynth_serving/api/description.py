"""The OpenAPI document: what the service says of itself."""

from __future__ import annotations

import copy
import re
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

import llmsynth
from llmsynth_serving.api.examples import EXAMPLES, TABLE
from llmsynth_serving.api.orders import (
    EvaluationOrder,
    FewShotOrder,
    FitOrder,
    GroupOrder,
    ImputeOrder,
    KeyOrder,
    RebalanceOrder,
    RowsOrder,
    SampleOrder,
    SplitOrder,
)

Document = dict[str, Any]
USES = (GroupOrder, RebalanceOrder, ImputeOrder, FewShotOrder)
ORDERS = (SplitOrder, FitOrder, SampleOrder, EvaluationOrder, *USES, RowsOrder, KeyOrder)
OPEN_PATHS = ("/health", "/ready", "/version", "/metrics")
PROBLEM_REFERENCE = {"$ref": "#/components/schemas/Problem"}
PROBLEM = {
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "hint": {"type": "string", "description": "What to do about it."},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
    "examples": [
        {
            "type": "urn:llmsynth:QuotaError",
            "title": "Too Many Requests",
            "status": 429,
            "detail": "2 jobs are queued or running, and this key allows 2.",
            "hint": "Wait for one to end, or cancel one.",
        }
    ],
}
REFUSED = {
    "description": "Refused; the document says why.",
    "content": {"application/problem+json": {"schema": PROBLEM_REFERENCE}},
}
FILES = ("text/csv", "application/vnd.apache.parquet")
BYTES = {"schema": {"type": "string", "format": "binary"}}


_LISTING = re.compile(r"Listing_[\w.]*\.(\w+)Document_$")
"""How a page of a list comes to be called: by the module of what it lists."""


def description() -> OpenAPIConfig:
    """The document's settings; it is served as JSON, without a page that loads from elsewhere."""
    return OpenAPIConfig(
        title="llmsynth",
        version=llmsynth.__version__,
        description="Learn a table, draw synthetic rows of it, and judge them. Errors are problem "
        "documents (RFC 9457); a POST with an Idempotency-Key acts once.",
        components=Components(
            security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}
        ),
        security=[{"key": []}],
        use_handler_docstrings=True,
        render_plugins=[_Completed(path="/openapi.json")],
    )


class _Completed(JsonRenderPlugin):
    def render(self, request: Request[Any, Any, Any], openapi_schema: Document) -> bytes:
        return super().render(request, completed(openapi_schema))


def completed(document: Document) -> Document:
    """The document with what handlers do not say: limits, refusals, files, examples."""
    whole: Document = _named(copy.deepcopy(document))
    schemas = whole["components"]["schemas"]
    _, limited = msgspec.json.schema_components(ORDERS, ref_template="#/components/schemas/{name}")
    schemas.update(limited)
    for order in ORDERS:
        # As `known_fields` refuses whatever else is sent.
        schemas[order.__name__]["additionalProperties"] = False
    schemas["Problem"] = PROBLEM
    for name, examples in EXAMPLES.items():
        schemas[name]["examples"] = examples
    for path, operations in whole["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return whole


def _named(part: Any) -> Any:
    """The document with names that a reader can say, and that do not move with our modules."""
    if isinstance(part, dict):
        return {_LISTING.sub(r"\1Listing", key): _named(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_named(value) for value in part]
    return _LISTING.sub(r"\1Listing", part) if isinstance(part, str) else part


def _complete(path: str, method: str, operation: Document) -> None:
    responses = operation["responses"]
    responses.pop("400", None)
    responses["4XX"] = REFUSED
    parameters = operation.setdefault("parameters", [])
    if path in OPEN_PATHS:
        operation["security"] = []
    if path == "/ready":
        responses["503"] = REFUSED
    if method == "post":
        about = "The same key with the same request acts once and gives the same answer."
        limits = {"minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}
        parameters.append(_header("Idempotency-Key", about, **limits))
    if path == "/v1/tables" and method == "post":
        body: Document = {kind: dict(BYTES) for kind in (*FILES, "application/octet-stream")}
        body["text/csv"]["example"] = TABLE
        operation["requestBody"] = {"required": True, "content": body}
    if path.endswith("/schema") and method == "put":
        parameters.append(_header("If-Match", "The ETag of the schema that was read."))
    if path.endswith("/download"):
        parameters.append(_header("Range", "Bytes, e.g. `bytes=1000-`."))
        content = dict.fromkeys(FILES, BYTES)
        responses["200"]["content"] = content
        responses["206"] = {"description": "The bytes that were asked for.", "content": content}
    if path.endswith("/events"):
        stream = {"text/event-stream": {"schema": {"type": "string"}}}
        responses["200"] = {"description": "Events, each a job as JSON.", "content": stream}
    if path.endswith("/json"):
        responses["200"]["content"] = {"application/json": {"schema": {"type": "object"}}}
    if path == "/v1/rows":
        job = {"application/json": {"schema": {"$ref": "#/components/schemas/JobDocument"}}}
        rows = {"application/json": {"schema": {"$ref": "#/components/schemas/RowsDocument"}}}
        responses["200"]["content"] = rows
        responses["202"] = {"description": "It takes longer, and is a job now.", "content": job}


def _header(name: str, about: str, **limits: object) -> Document:
    schema = {"type": "string", **limits}
    return {"name": name, "in": "header", "description": about, "schema": schema}
