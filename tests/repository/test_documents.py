"""The documents held against the things they speak of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import llmsynth
from llmsynth import demo_tables
from llmsynth.cli import app

# SHA-256 of the licence's words, one blank apart, so that its layout does not matter.
APACHE_2 = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"
PAGES = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")


def _code(markdown: str) -> Iterator[str]:
    """Lines of fenced and indented blocks, and spans between back-ticks, less any prompt."""
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}(\S.*)$", markdown, re.MULTILINE)
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", markdown)
    for line in [*"\n".join(fenced).splitlines(), *indented, *spans]:
        yield line.strip().removeprefix("$ ").removeprefix(".venv/bin/")


def _words_after(program: str, markdown: str) -> set[str]:
    commands = (re.match(rf"{program} ([a-z][a-z-]*)", line) for line in _code(markdown))
    return {match[1] for match in commands if match}


def test_commands_are_found_in_every_kind_of_code() -> None:
    fenced = "```sh\n$ make three --x\n.venv/bin/make four\n```"
    page = f"Say `make one`.\n\n    make two\n\n{fenced}\nmake five\n"
    assert _words_after("make", page) == {"one", "two", "three", "four"}


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_a_page_names_exists(root: Path, page: str) -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", (root / "Makefile").read_text(), re.MULTILINE)
    assert _words_after("make", (root / page).read_text(encoding="utf-8")) <= set(targets)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_a_page_names_exists(root: Path, page: str) -> None:
    command = typer.main.get_command(app)
    known = set(getattr(command, "commands", {}))
    assert known
    assert _words_after("llmsynth", (root / page).read_text(encoding="utf-8")) <= known


def test_the_changelog_speaks_of_this_version_or_the_next(root: Path) -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", llmsynth.__version__)


def test_the_licence_is_apache_2(root: Path) -> None:
    words = " ".join((root / "LICENSE").read_text().split())
    assert hashlib.sha256(words.encode()).hexdigest() == APACHE_2


@pytest.mark.parametrize("name", demo_tables.names())
def test_the_notice_credits_every_demo_table(root: Path, name: str) -> None:
    notice = (root / "NOTICE").read_text()
    doi = demo_tables.describe(name).citation.rsplit(" ", 1)[-1]
    assert f"{name}.csv.gz" in notice
    assert doi in notice
