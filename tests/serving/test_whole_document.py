"""Requests made from the OpenAPI document itself, right ones and wrong ones, against a live app."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import schemathesis
from llmsynth_serving.api.description import ORDERS, completed
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

# Whether a table, a schema or a cursor is right depends on what the service holds, so no document
# can say which requests are; who may what has tests of its own.
NOT_ASKED = [positive_data_acceptance, ignored_auth]


def test_every_order_in_the_document_has_limits_and_an_example(office: Any) -> None:
    document = office.client.get("/schema/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    assert schemas["SampleOrder"]["properties"]["rows"]["minimum"] == 1
    orders = [name for name in schemas if name.endswith("Order")]
    assert set(orders) == {order.__name__ for order in ORDERS}
    assert all(schemas[name]["examples"] for name in orders)
    operations = [op for path in document["paths"].values() for op in path.values()]
    assert all("4XX" in operation["responses"] for operation in operations)


def test_names_in_the_document_tell_nothing_of_modules(office: Any) -> None:
    response = office.client.get("/schema/openapi.json")
    assert "llmsynth_serving." not in response.text
    assert "TableListing" in response.json()["components"]["schemas"]


def test_completing_leaves_the_original_as_it_is(office: Any) -> None:
    original = office.client.app.openapi_schema.to_schema()
    before = repr(original)
    assert completed(original) != original
    assert repr(original) == before


def faults(operation: Any, office: Any, table: str) -> list[str]:
    @hypothesis.settings(
        max_examples=40,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        case.headers = {**(case.headers or {}), **office.headers()}
        if case.path_parameters and "table_id" in case.path_parameters:
            case.path_parameters["table_id"] = table
        case.call_and_validate(excluded_checks=NOT_ASKED)

    try:
        holds()
    except (AssertionError, BaseExceptionGroup) as error:
        told = [error, *getattr(error, "exceptions", [])]
        return [f"{operation.label}: {part}" for part in told]
    return []


# The framework's test client leaves the streams of its event loops to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_nothing_in_the_document_breaks_the_service(office: Any) -> None:
    schema = schemathesis.openapi.from_asgi("/schema/openapi.json", office.client.app)
    table = office.upload(b"a,b\n1,x\n2,y\n").json()["id"]
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 30
    found = [fault for operation in operations for fault in faults(operation, office, table)]
    assert not found, "\n".join(found)
