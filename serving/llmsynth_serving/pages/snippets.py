"""What a person just clicked, as a program would ask for it: curl and Python."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from llmsynth_serving.api.orders import (
    EvaluationOrder,
    FewShotOrder,
    FitOrder,
    ImputeOrder,
    RebalanceOrder,
    SampleOrder,
)
from llmsynth_serving.database.records import Job
from llmsynth_serving.pages.asking import Asked
from llmsynth_serving.pages.forms import shortest

KEY = "$LLMSYNTH_KEY"
Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """One call, twice."""

    curl: str
    python: str


def snippet(
    request: Asked,
    method: str,
    path: str,
    *,
    verb: str,
    body: Json | None = None,
    options: str = "",
) -> Snippet:
    """A call of the API.

    Args:
        path: of the endpoint, with its query.
        verb: the same with the Python client, whose name there is `service`.
        body: the document that goes with it.
        options: more options of curl.
    """
    url = f"{str(request.base_url).rstrip('/')}{path}"
    parts = [f'curl -H "Authorization: Bearer {KEY}"']
    if method != "GET" and not (method == "POST" and body is not None):
        parts.append(f"-X {method}")
    if options:
        parts.append(options)
    if body is not None:
        parts.append(f"--json {shlex.quote(json.dumps(body, ensure_ascii=False))}")
    curl = " \\\n  ".join([*parts, shlex.quote(url)])
    base = str(request.base_url).rstrip("/")
    python = (
        "import os\n"
        "from llmsynth_serving.client import Client\n\n"
        f'with Client("{base}", os.environ["LLMSYNTH_KEY"]) as service:\n'
        + "\n".join(f"    {line}" for line in verb.splitlines())
    )
    return Snippet(curl=curl, python=python)


def call(verb: str, *given: object, **settings: object) -> str:
    """A method of the client with its arguments."""
    named = [f"{name}={value!r}" for name, value in settings.items()]
    return f"service.{verb}({', '.join([*map(repr, given), *named])})"


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """How a kind of job is ordered."""

    order: type
    verb: str
    first: tuple[str, ...]
    """Fields that the client's method takes by place."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Fields that it takes by another name."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Fields that a job's own record has by another name."""


_KINDS = {
    "fit": _Kind(order=FitOrder, verb="fit", first=("table_id",)),
    "sample": _Kind(order=SampleOrder, verb="sample", first=("synthesizer_id", "rows")),
    "evaluate": _Kind(
        order=EvaluationOrder,
        verb="evaluate",
        first=("table_id",),
        renamed={"train_id": "train", "holdout_id": "holdout"},
    ),
    "rebalance": _Kind(
        order=RebalanceOrder,
        verb="rebalance",
        first=("table_id", "groups"),
        renamed={"test_id": "test"},
        kept={"table_id": "source_id"},
    ),
    "impute": _Kind(
        order=ImputeOrder, verb="impute", first=("table_id",), kept={"table_id": "source_id"}
    ),
    "few-shot": _Kind(
        order=FewShotOrder,
        verb="few_shot",
        first=("rows",),
        renamed={"schema_table_id": "schema", "examples_table_id": "examples"},
    ),
}


def of_job(request: Asked, job: Job) -> Snippet | None:
    """The order of a job, made again from what the job holds; None for a kind without a page."""
    kind = _KINDS.get(job.kind)
    if kind is None:
        return None
    given = {**job.spec, **job.spec.get("settings", {}), "name": job.name}
    given |= {name: job.spec[there] for name, there in kind.kept.items()}
    known = kind.order.__dataclass_fields__  # type: ignore[attr-defined]
    body = shortest(kind.order(**{name: given[name] for name in known if name in given}))
    named = {kind.renamed.get(n, n): v for n, v in body.items() if n not in kind.first}
    verb = call(kind.verb, *(body[name] for name in kind.first), **named)
    return snippet(
        request,
        "POST",
        f"/v1/jobs/{job.kind}",
        verb=f"job = service.wait({verb})\nprint(job.result)",
        body=body,
    )


def upload(request: Asked, name: str) -> Snippet:
    """A table's file on its way in."""
    return snippet(
        request,
        "POST",
        f"/v1/tables?name={quote(name)}",
        verb=f"table = {call('upload', f'{name}.csv', name=name)}",
        options=f"-T {shlex.quote(f'{name}.csv')}",
    )


def act(request: Asked, job_id: str, verb: str) -> Snippet:
    """Something done to a job: `cancel` or `retry`."""
    path = f"/v1/jobs/{quote(job_id)}/{verb}"
    return snippet(request, "POST", path, verb=f"job = {call(verb, job_id)}")


def split(request: Asked, table_id: str) -> Snippet:
    """A table parted in two."""
    return snippet(
        request,
        "POST",
        f"/v1/tables/{quote(table_id)}/split",
        verb=f"train, holdout = {call('split', table_id, holdout_share=0.2)}",
        body={"holdout_share": 0.2},
    )


def deletion(request: Asked, kind: str, object_id: str) -> Snippet:
    """An object on its way out; `kind` as the API's paths have it."""
    fetch = f"service.{kind.removesuffix('s')}({object_id!r})"
    path = f"/v1/{kind}/{quote(object_id)}"
    return snippet(request, "DELETE", path, verb=f"service.delete({fetch})")


def bare(request: Asked, method: str, path: str, body: Json | None = None) -> Snippet:
    """A call that the client has no method for."""
    base = str(request.base_url).rstrip("/")
    given = f", json={dict(body)!r}" if body is not None else ""
    python = (
        "import os\nimport httpx\n\n"
        'headers = {"Authorization": "Bearer " + os.environ["LLMSYNTH_KEY"]}\n'
        f'answer = httpx.request("{method}", "{base}{path}", headers=headers{given})\n'
        "print(answer.json())"
    )
    return Snippet(curl=snippet(request, method, path, verb="", body=body).curl, python=python)
