"""The Kubernetes example holds a command that there is, and as many processors as it asks for."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import ray
import typer
import yaml

from llmsynth.cli import app
from llmsynth.cli.shard_stream import is_folder, row_count

JOB = Path(__file__).parents[3] / "deploy" / "ray" / "sample-job.yaml"


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    job: dict[str, Any] = yaml.safe_load(JOB.read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    found: dict[str, Any] = job["spec"]
    return found


def test_its_command_is_one_that_the_program_takes(spec: dict[str, Any]) -> None:
    program, command, _, *options = shlex.split(spec["entrypoint"])
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert program == "llmsynth"
    known = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    assert set(given) <= {name for option in known.params for name in option.opts}
    assert row_count(given["--rows"]) == 10**9
    assert is_folder(given["--out"])


def test_the_cluster_grows_to_the_workers_that_are_asked_for(spec: dict[str, Any]) -> None:
    workers = int(spec["entrypoint"].split("--workers ")[1].split()[0])
    cluster = spec["rayClusterSpec"]
    (group,) = cluster["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    assert int(container["resources"]["limits"]["cpu"]) * group["maxReplicas"] == workers
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_it_names_the_version_of_ray_that_is_tested(spec: dict[str, Any]) -> None:
    assert spec["rayClusterSpec"]["rayVersion"] == ray.__version__
