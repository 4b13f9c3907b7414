"""What a user gets who installs the built wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import llmsynth


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    run = subprocess.run([*command, str(root)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = out.iterdir()
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_it_installs_three_names_and_its_metadata(wheel: zipfile.ZipFile) -> None:
    info = f"llmsynth-{llmsynth.__version__}.dist-info"
    names = {name.split("/")[0] for name in wheel.namelist()}
    assert names == {"llmsynth", "llmsynth_eval", "llmsynth_serving", info}


def test_every_file_of_the_three_packages_is_in_it(
    wheel: zipfile.ZipFile, root: Path, files: list[Path]
) -> None:
    packages = [root / "llmsynth", root / "eval/llmsynth_eval", root / "serving/llmsynth_serving"]
    for package in packages:
        kept = [path for path in files if path.is_relative_to(package)]
        expected = {path.relative_to(package.parent).as_posix() for path in kept}
        assert f"{package.name}/__init__.py" in expected
        assert expected - set(wheel.namelist()) == set()


@pytest.mark.parametrize(
    "name",
    [
        "llmsynth/py.typed",
        "llmsynth/demo_tables/adult.csv.gz",
        "llmsynth/demo_tables/sick_thyroid.csv.gz",
        "llmsynth/demo_tables/mts_dialog.csv.gz",
        "llmsynth/prompts/rows-1.jinja",
        "llmsynth/prompts/schema-1.jinja",
        "llmsynth/cli/clinical.html",
    ],
)
def test_the_files_beside_the_code_are_in_it(wheel: zipfile.ZipFile, name: str) -> None:
    assert name in wheel.namelist()


def test_licence_and_notice_travel_with_it(wheel: zipfile.ZipFile) -> None:
    ends = {name.rsplit("/", 1)[-1] for name in wheel.namelist() if ".dist-info/licenses/" in name}
    assert ends == {"LICENSE", "NOTICE"}


def test_no_test_and_nothing_of_this_machine_is_in_it(wheel: zipfile.ZipFile) -> None:
    strange = [
        name
        for name in wheel.namelist()
        if "tests/" in name or "benchmarks/" in name or "__pycache__" in name or ".venv" in name
    ]
    assert strange == []
