"""The package's front door: what it offers, and how little opening it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import llmsynth

HEAVY = {"torch", "transformers", "vllm", "litestar", "pandas", "numpy", "pyarrow", "sklearn"}


@pytest.mark.parametrize("name", llmsynth.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(llmsynth, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Sinthesizer'"):
        _ = llmsynth.Sinthesizer  # type: ignore[attr-defined]


def test_the_names_are_listed_for_completion() -> None:
    assert dir(llmsynth) == sorted(llmsynth.__all__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, llmsynth; print(llmsynth.__version__, *sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    version, *modules = run.stdout.split()
    assert version == llmsynth.__version__
    assert "llmsynth" in modules
    assert HEAVY & set(modules) == set()


def test_a_type_checker_finds_each_name_where_a_program_does(root: Path) -> None:
    tree = ast.parse((root / "llmsynth" / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {**llmsynth._HOMES, "demo_tables": "llmsynth"}
    assert set(llmsynth.__all__) == {*seen, "__version__"}
