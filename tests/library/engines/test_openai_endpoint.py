"""A server that is down, slow, busy or wrong: what came is kept, and the rest says why."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.endpoint_settings import EndpointSettings
from llmsynth.engines.engine import FinishedRow, RowRequest, SamplingSettings
from llmsynth.engines.openai_endpoint import OpenAIEndpoint
from llmsynth.engines.served_rows import closed_row, row_seed, served_pattern
from llmsynth.engines.stop_reason import StopReason
from llmsynth.errors import EngineError, LlmsynthError, SettingsError
from llmsynth.schema.columns import TextColumn
from llmsynth.schema.table_schema import TableSchema

ROW = "age=41; sex=Male; note=null\n"
Wanted = Callable[..., RowRequest]


@pytest.fixture
def wanted(row_automaton: TokenAutomaton, row_pattern: str) -> Wanted:
    def make(num_rows: int = 8, **settings: float | None) -> RowRequest:
        return RowRequest(
            automaton=row_automaton,
            pattern=row_pattern,
            prefix_ids=[[]] * num_rows,
            prompt_ids=[0],
            settings=SamplingSettings(**{"seed": 1, **settings}),
        )

    return make


@pytest.fixture
def served(bpe_tokenizer: PreTrainedTokenizerFast) -> Served:
    return Served(bpe_tokenizer.encode(ROW))


class Served:
    """Starts a small server that behaves as told, and an engine that talks to it."""

    def __init__(self, row: list[int]) -> None:
        self.row = row

    @contextmanager
    def __call__(self, behaviour: str, **settings: float) -> Iterator[OpenAIEndpoint]:
        script = Path(__file__).with_name("small_endpoint.py")
        command = [sys.executable, str(script), behaviour, json.dumps(self.row)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            quick = {"first_pause_seconds": 0.01, "row_timeout_seconds": 1.0, "rows_at_once": 4}
            engine = OpenAIEndpoint(
                EndpointSettings(base_url=f"http://127.0.0.1:{port}/v1", **{**quick, **settings})
            )
            try:
                yield engine
            finally:
                engine.close()
                server.terminate()


def reasons(rows: list[FinishedRow]) -> dict[str, int]:
    names = [row.reason.name for row in rows]
    return {name: names.count(name) for name in set(names)}


@pytest.mark.parametrize("behaviour", ["well", "busy_twice", "aborts_first", "slow_third"])
def test_what_passes_is_tried_again(served: Served, wanted: Wanted, behaviour: str) -> None:
    with served(behaviour) as engine:
        rows = list(engine.rows(wanted(20, first_row=3)))
    assert sorted(row.number for row in rows) == list(range(3, 23))
    assert {(row.text, row.reason) for row in rows} == {(ROW, StopReason.FINISHED)}


def test_a_server_that_dies_leaves_the_rows_that_came(served: Served, wanted: Wanted) -> None:
    with served("dies_after_5", rows_at_once=1) as engine:
        rows = list(engine.rows(wanted(300)))
        assert reasons(rows) == {"FINISHED": 5, "ENGINE_FAILED": 295}
        assert {row.number for row in rows} == set(range(300))
        problems = {row.problem for row in rows if not row.is_whole}
        assert len(problems) == 1
        assert "4 times. Is the server up?" in problems.pop()
        with pytest.raises(EngineError, match=r"127\.0\.0\.1"):
            list(engine.rows(wanted(300)))


def test_a_server_that_hangs_is_given_up_in_bounded_time(served: Served, wanted: Wanted) -> None:
    started = time.monotonic()
    with served("slow_after_5", rows_at_once=2, row_timeout_seconds=0.3) as engine:
        rows = list(engine.rows(wanted(300)))
    assert reasons(rows) == {"FINISHED": 5, "ENGINE_FAILED": 295}
    assert "no answer in time" in next(row.problem for row in rows if row.problem)
    assert time.monotonic() - started < 20


def test_no_server_at_all_is_a_named_error(wanted: Wanted) -> None:
    settings = EndpointSettings(
        base_url="http://127.0.0.1:9/v1", attempts=2, first_pause_seconds=0.01
    )
    engine = OpenAIEndpoint(settings)
    try:
        with pytest.raises(EngineError, match=r"127.0.0.1:9.*2 times") as caught:
            next(engine.rows(wanted()))
        assert caught.value.retryable
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("aborts", "finish reason 'abort'"),
        ("refuses", "The model does not exist"),
        ("has_no_ids", "does not return token ids"),
    ],
)
def test_what_no_row_survives_is_an_error(
    served: Served, wanted: Wanted, behaviour: str, message: str
) -> None:
    with served(behaviour) as engine, pytest.raises(EngineError, match=message):
        list(engine.rows(wanted()))


def test_a_cut_row_is_not_whole(served: Served, wanted: Wanted) -> None:
    with served("cuts") as engine:
        assert reasons(list(engine.rows(wanted(3)))) == {"CONTEXT_LENGTH": 3}


def test_a_server_that_ignores_the_structure_is_noticed(served: Served, wanted: Wanted) -> None:
    with served("ignores_structure") as engine:
        rows = list(engine.rows(wanted(3)))
    assert reasons(rows) == {"ENGINE_FAILED": 3}
    assert "not know `structured_outputs`" in rows[0].problem


def test_time_is_bounded(served: Served, wanted: Wanted) -> None:
    with served("slow_after_5", rows_at_once=1, row_timeout_seconds=30) as engine:
        rows = list(engine.rows(wanted(9, max_seconds=1.5)))
    assert reasons(rows) == {"FINISHED": 5, "MAX_SECONDS": 4}


def test_rows_may_be_given_up_half_way(served: Served, wanted: Wanted) -> None:
    started = time.monotonic()
    with served("slow_after_5", row_timeout_seconds=60) as engine:
        rows = engine.rows(wanted(50))
        assert next(rows).is_whole
        rows.close()
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("name", "value"), [("base_url", "localhost:8000"), ("attempts", 0), ("rows_at_once", 0)]
)
def test_a_setting_out_of_range_is_named(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"{name}: expected"):
        EndpointSettings(**{"base_url": "http://h/v1", name: value})


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(EndpointSettings(base_url="http://h/v1", api_key="secret"))


def test_a_closed_engine_says_so(wanted: Wanted) -> None:
    engine = OpenAIEndpoint(EndpointSettings(base_url="http://127.0.0.1:9/v1"))
    engine.close()
    engine.close()
    with pytest.raises(LlmsynthError, match="closed"):
        next(engine.rows(wanted()))


def test_row_seeds_are_consecutive_and_far_from_those_of_other_seeds() -> None:
    assert row_seed(1, 7) - row_seed(1, 0) == 7
    assert len({row_seed(seed, row) for seed in range(50) for row in range(1000)}) == 50_000
    assert 0 <= row_seed(-5, 1) < 1 << 62


def test_the_pattern_is_put_as_the_server_reads_it(
    bpe_tokenizer: PreTrainedTokenizerFast,
) -> None:
    pattern = r"a\&b\\&[^x]\["
    automaton = TokenAutomaton.compile(pattern, bpe_tokenizer)
    request = RowRequest(
        automaton=automaton,
        pattern=pattern,
        prefix_ids=[[]],
        prompt_ids=[0],
        settings=SamplingSettings(seed=1),
    )
    assert served_pattern(request) == r"a&b\\&[^\ud800-\udfffx]\["


def test_a_text_is_put_without_its_bound_which_is_checked_afterwards(
    bpe_tokenizer: PreTrainedTokenizerFast,
) -> None:
    schema = TableSchema(columns=(TextColumn(name="note", maximum_length=5),))
    pattern = RowLanguage(schema).regex()
    request = RowRequest(
        automaton=TokenAutomaton.compile(pattern, bpe_tokenizer),
        pattern=pattern,
        prefix_ids=[[]],
        prompt_ids=[0],
        settings=SamplingSettings(seed=1),
    )
    served = re.compile(served_pattern(request))
    short, long = 'note="a\\nb\\"c"\n', 'note="abcdef"\n'
    assert served.fullmatch(short)
    assert served.fullmatch(long)
    assert not served.fullmatch('note="a"b"\n')
    finished = StopReason.FINISHED
    ends = [closed_row(request, 0, bpe_tokenizer.encode(text), finished) for text in (short, long)]
    assert [row.reason for row in ends] == [finished, StopReason.ENGINE_FAILED]
    assert "longer than its column allows" in ends[1].problem
