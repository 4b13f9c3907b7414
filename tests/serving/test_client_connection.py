"""The client's calls when the network breaks and the service is busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from llmsynth_serving import connection
from llmsynth_serving.api.documents import RowsDocument
from llmsynth_serving.connection import ATTEMPTS, Connection, ServiceError

ROWS = {"columns": ["a"], "rows": [[1]], "seconds": 0.1, "is_partial": False}
Answer = Callable[[httpx.Request], httpx.Response]


class Script:
    """A service that gives these answers one after the other, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.requests = list(answers), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request)

    def connect(self) -> Connection:
        transport = httpx.MockTransport(self)
        return Connection("http://service", "k", timeout_seconds=5, transport=transport)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PAUSE_SECONDS", 0.0)


def gives(status: int, **headers: str) -> Answer:
    problem = {"detail": f"status {status}", "hint": "do this"}
    content = ROWS if status < 400 else problem
    return lambda request: httpx.Response(status, json=content, headers=headers)


def breaks(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


@pytest.mark.parametrize(
    "first", [breaks, gives(503), gives(429), gives(409, **{"retry-after": "1"})]
)
def test_a_call_is_repeated_with_the_same_idempotency_key(first: Answer) -> None:
    script = Script(first, gives(200))
    assert script.connect().post("/v1/x", RowsDocument, json={}).rows == [[1]]
    keys = {request.headers["idempotency-key"] for request in script.requests}
    assert (len(script.requests), len(keys)) == (2, 1)


def test_a_file_is_sent_whole_in_every_try(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(b"a,b\n1,2\n")
    script = Script(gives(502), gives(200))
    script.connect().post("/v1/tables", RowsDocument, file=file)
    assert [request.content for request in script.requests] == [b"a,b\n1,2\n"] * 2


@pytest.mark.parametrize("status", [400, 401, 404, 409, 500])
def test_a_refusal_is_final_and_in_words(status: int) -> None:
    script = Script(gives(status))
    with pytest.raises(ServiceError, match=f"status {status} do this") as caught:
        script.connect().get("/v1/x", RowsDocument)
    assert (caught.value.status, len(script.requests)) == (status, 1)


def test_a_service_that_stays_away_is_given_up() -> None:
    script = Script(breaks)
    with pytest.raises(ServiceError, match="cannot be reached"):
        script.connect().get("/v1/x", RowsDocument)
    assert len(script.requests) == ATTEMPTS


def test_a_broken_transfer_goes_on_where_it_was(tmp_path: Path) -> None:
    def half(request: httpx.Request) -> httpx.Response:
        def stream() -> Iterator[bytes]:
            yield b"first "
            raise httpx.ReadError("cut", request=request)

        return httpx.Response(200, content=stream(), headers={"etag": '"1"'})

    def rest(request: httpx.Request) -> httpx.Response:
        assert request.headers["range"] == "bytes=6-"
        assert request.headers["if-range"] == '"1"'
        return httpx.Response(206, content=b"second", headers={"etag": '"1"'})

    target = tmp_path / "rows.csv"
    Script(half, rest).connect().save("/v1/x", target)
    assert target.read_bytes() == b"first second"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_transfer_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ServiceError):
        Script(gives(404)).connect().save("/v1/x", tmp_path / "rows.csv")
    assert list(tmp_path.iterdir()) == []


def test_events_go_on_over_a_new_connection() -> None:
    def stream(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="event: job\ndata: 1\n\ndata: 2\n\n")

    script = Script(stream, breaks, stream)
    events = script.connect().events("/v1/x")
    assert [next(events) for _ in range(4)] == ["1", "2", "1", "2"]
    assert len(script.requests) == 3
