"""What no file of this repository may hold, and how long one may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

MAX_LINES = 600
TEXT = {".py", ".md", ".toml", ".txt", ".json", ".jinja", ".html", ".yml", ".yaml", ".sh", ""}
EXECUTING = {"pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal"}
MACHINE_PATH = re.compile(r"(?<![\w.:/])(?:/(?:home|root|Users|work|farm)/|[A-Z]:\\Users\\)\w")


def _executing(source: str) -> Iterator[str]:
    """Imports and calls that would run code held in a data file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in EXECUTING)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in EXECUTING:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if ast.unparse(node.func) == "torch.load" and given.get("weights_only") != "True":
                yield "torch.load without weights_only=True"
            if given.get("allow_pickle", "False") != "False":
                yield "allow_pickle"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "def f():\n    import dill as d",
        "import torch\ntorch.load('x')",
        "import torch\ntorch.load('x', weights_only=False)",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
    ],
)
def test_code_that_unpickles_is_recognised(source: str) -> None:
    assert len(list(_executing(source))) == 1


def test_code_that_loads_only_numbers_is_not() -> None:
    assert list(_executing("import torch\ntorch.load('x', weights_only=True)")) == []


def test_no_source_unpickles_anything(root: Path, sources: list[Path]) -> None:
    found = {
        str(path.relative_to(root)): names
        for path in sources
        if (names := list(_executing(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


@pytest.mark.parametrize("text", ["open('/home/ann/x.csv')", "/work/x", "see C:\\Users\\ann"])
def test_a_path_of_one_machine_is_recognised(text: str) -> None:
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize("text", ["https://host/home/page", "./work/x", "a/root/b", "/v1/jobs"])
def test_other_slashes_are_not(text: str) -> None:
    assert not MACHINE_PATH.search(text)


def test_no_file_names_a_path_of_one_machine(root: Path, files: list[Path]) -> None:
    found = [
        f"{path.relative_to(root)}:{number}"
        for path in files
        if path.suffix in TEXT and path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_no_source_is_longer_than_a_person_reads(root: Path, sources: list[Path]) -> None:
    lengths = {
        str(path.relative_to(root)): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources
    }
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}
