"""The operator's commands, and what their logs may not hold."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from llmsynth_serving.cli import app
from llmsynth_serving.installation import first_key
from llmsynth_serving.logs import set_up_logs, without_secrets
from llmsynth_serving.settings import ServiceSettings
from typer.testing import CliRunner, Result


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMSYNTH_SERVE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def serve(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_the_first_key_is_printed_once(home: Path) -> None:
    first, second = serve("init"), serve("init")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout.startswith("lls_")
    assert second.stdout == ""
    assert "keys create" in second.stderr
    assert first_key(ServiceSettings(home=home)) is None


def test_keys_are_made_listed_renewed_and_revoked(home: Path) -> None:
    serve("migrate")
    order = ("--name", "ci", "--scope", "write", "--project", "team", "--days", "2")
    made = serve("keys", "create", *order).stdout.strip()
    key_id = made.split("_")[1]
    listed = serve("keys", "list", "--project", "team").stdout
    assert key_id in listed
    assert "until" in listed
    assert made.split("_", 2)[2] not in listed
    fresh = serve("keys", "rotate", key_id, "--project", "team").stdout.strip()
    assert fresh != made
    assert serve("keys", "revoke", fresh.split("_")[1], "--project", "team").exit_code == 0
    again = serve("keys", "revoke", fresh.split("_")[1], "--project", "team")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "revoked already" in again.stderr
    assert serve("keys", "list", "--project", "team").stdout.count("revoked") == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("keys", "create", "--name", "x", "--scope", "root"), "--scope is one of"),
        (("keys", "list", "--project", "nobody"), "no project 'nobody'"),
        (("worker", "--queue", "tpu"), "--queue is one of"),
    ],
)
def test_a_wrong_word_is_told_in_one_line(home: Path, words: tuple[str, ...], told: str) -> None:
    serve("migrate")
    ended = serve(*words)
    assert ended.exit_code == 2
    assert told in ended.stderr


@pytest.mark.parametrize("command", ["api", "worker"])
def test_nothing_starts_on_a_database_that_was_not_made(home: Path, command: str) -> None:
    ended = serve(command)
    assert ended.exit_code == 2
    assert "llmsynth-serve migrate" in ended.stderr


def test_keys_and_passwords_are_blotted_out() -> None:
    text = "lls_0123abc_s3-cr_et and postgresql://ann:pa55@db/x and http://127.0.0.1:80/a@b"
    assert without_secrets(text) == (
        "lls_0123abc_*** and postgresql://ann:***@db/x and http://127.0.0.1:80/a@b"
    )


@pytest.fixture
def restored_logs() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def test_every_log_line_is_json_without_secrets(
    monkeypatch: pytest.MonkeyPatch, restored_logs: None
) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    set_up_logs()
    secret = "lls_0a_hidden"
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("test").info("asked", key=secret)
        try:
            raise ValueError(secret)
        except ValueError:
            logging.getLogger("other").exception("it broke")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["request_id"] for line in lines] == ["r1", "r1"]
    assert lines[0]["key"] == "lls_0a_***"
    assert lines[1]["exception"][0]["exc_type"] == "ValueError"
    assert "hidden" not in out.getvalue()
