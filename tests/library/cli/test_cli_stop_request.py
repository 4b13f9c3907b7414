"""Ctrl-C as a request: the first is noted, the second interrupts, strangers are left alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from llmsynth.cli.stop_request import StopRequest


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_is_noted_and_the_second_interrupts(capfd: pytest.CaptureFixture[str]) -> None:
    with StopRequest() as stop:
        assert not stop.is_made
        signal.raise_signal(signal.SIGINT)
        assert stop.is_made
        assert "Ctrl-C again ends at once" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_after_the_block_ctrl_c_interrupts_as_ever() -> None:
    with StopRequest():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_where_ctrl_c_is_ignored_it_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
    assert not stop.is_made
