"""A field or parameter that a route does not know is refused, on every route of the document."""

from __future__ import annotations

from typing import Any

import pytest
from llmsynth_serving.api.known_fields import UnknownFieldError, check_fields
from llmsynth_serving.api.orders import FitOrder, RebalanceOrder
from llmsynth_serving.client import Client

from llmsynth.errors import SettingsError


def operations(office: Any) -> list[tuple[str, str, dict[str, Any]]]:
    document = office.client.get("/schema/openapi.json").json()
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1/") and method in ("get", "post", "put", "patch", "delete")
    ]


def filled(path: str) -> str:
    parts = path.split("/")
    return "/".join("x" if part.startswith("{") else part for part in parts)


def test_every_route_refuses_an_unknown_query_parameter(office: Any) -> None:
    asked = operations(office)
    assert len(asked) > 20
    for path, method, _ in asked:
        answer = office.client.request(
            method, filled(path), params={"limitt": 1}, json={}, headers=office.headers()
        )
        assert answer.status_code == 400, (path, method, answer.text)
        assert "limitt" in answer.json()["detail"], (path, method)


def test_every_order_refuses_an_unknown_field_and_the_document_says_so(office: Any) -> None:
    document = office.client.get("/schema/openapi.json").json()
    orders = {
        (path, method): operation["requestBody"]["content"]["application/json"]["schema"]
        for path, method, operation in operations(office)
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    named = {at: body["$ref"].split("/")[-1] for at, body in orders.items() if "$ref" in body}
    assert len(named) >= 8
    for (path, method), name in named.items():
        assert document["components"]["schemas"][name]["additionalProperties"] is False
        answer = office.client.request(
            method, filled(path), json={"epsilom": 1.0}, headers=office.headers()
        )
        assert answer.status_code == 400, (path, answer.text)
        assert "epsilom" in answer.json()["detail"]


def test_the_nearest_known_name_is_told(office: Any) -> None:
    order = {"table_id": "t", "epsilom": 1.0}
    answer = office.client.post("/v1/jobs/fit", json=order, headers=office.headers())
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:llmsynth:UnknownFieldError"
    assert "Did you mean 'epsilon'?" in answer.json()["hint"]


def test_fields_of_parts_are_checked_too() -> None:
    groups = [{"where": {"any": "thing"}, "share": 0.2}, {"where": {}, "shre": 0.1}]
    with pytest.raises(UnknownFieldError, match=r"groups\[1\].shre") as refused:
        check_fields(RebalanceOrder, {"table_id": "t", "groups": groups})
    assert "'share'" in str(refused.value.hint)
    check_fields(FitOrder, {"table_id": "t", "max_minutes": None})


def test_the_client_refuses_before_it_sends() -> None:
    # Nothing listens there: a request would end in another error.
    with (
        Client("http://127.0.0.1:9", "key") as client,
        pytest.raises(SettingsError, match="epsilom"),
    ):
        client.fit("table", epsilom=1.0)
