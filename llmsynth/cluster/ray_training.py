"""Starts a training's processes on a Ray cluster, by Ray Train, and brings back what they made."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import ray
from ray.exceptions import RayError
from ray.train import FailureConfig, RunConfig, ScalingConfig, get_context
from ray.train.torch import TorchConfig, TorchTrainer

from llmsynth.cluster.folder_files import read_files, write_files
from llmsynth.cluster.ray_connection import connected
from llmsynth.cluster.ray_settings import RaySettings
from llmsynth.errors import LlmsynthError, TrainingError
from llmsynth.progress import Progress, Step
from llmsynth.training.run_process import train_folder

_LOSSES = 3
"""Times that lost workers may send a training back to its beginning."""
_WAIT_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class RayLauncher:
    """A `Launcher` (see `llmsynth.training.launching`) whose processes are Ray Train's workers.

    The run folder travels to the workers and their results come back through Ray, so no folder
    has to be shared; a base model has to lie at the same path on every node.
    """

    settings: RaySettings = field(default_factory=RaySettings)

    def __call__(self, folder: Path, processes: int, on_gpus: bool, progress: Progress) -> None:
        """Train the run in a folder.

        Raises:
            TrainingError: a worker failed, or was lost too often.
        """
        with connected(self.settings), tempfile.TemporaryDirectory(prefix="llmsynth-") as scratch:
            office = ray.remote(PostOffice).options(num_cpus=0).remote(read_files(folder))
            trainer = TorchTrainer(
                _work,
                train_loop_config={"office": office},
                torch_config=TorchConfig(backend="nccl" if on_gpus else "gloo"),
                scaling_config=ScalingConfig(
                    num_workers=processes,
                    use_gpu=on_gpus and self.settings.gpus > 0,
                    resources_per_worker=self._resources(),
                ),
                run_config=RunConfig(
                    name="llmsynth",
                    storage_path=scratch,
                    failure_config=FailureConfig(max_failures=_LOSSES),
                ),
            )
            with _Listening(office, progress):
                _fitted(trainer, office)
            write_files(folder, ray.get(office.results.remote()))

    def _resources(self) -> dict[str, float]:
        own = {"CPU": self.settings.cpus}
        return own | ({"GPU": self.settings.gpus} if self.settings.gpus else {})


class PostOffice:
    """Holds what goes to the workers and what comes from the first of them."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files, self._results = dict(files), dict[str, bytes]()
        self._step: Step | None = None
        self._refusal: tuple[str, str] | None = None

    def files(self) -> Mapping[str, bytes]:
        """The run folder."""
        return self._files

    def note(self, step: Step) -> None:
        """How far the training is."""
        self._step = step

    def step(self) -> Step | None:
        """What was noted last."""
        return self._step

    def refuse(self, message: str, hint: str) -> None:
        """Why a worker will not go on."""
        self._refusal = (message, hint)

    def refusal(self) -> tuple[str, str] | None:
        """Message and hint of a worker's own error."""
        return self._refusal

    def deliver(self, files: Mapping[str, bytes]) -> None:
        """Take in what the training made."""
        self._results = dict(files)

    def results(self) -> Mapping[str, bytes]:
        """What the training made."""
        return self._results


def _work(config: dict[str, object]) -> None:
    """One worker: the run folder as a local copy, trained with the others."""
    office = config["office"]
    is_first = get_context().get_world_rank() == 0
    with tempfile.TemporaryDirectory(prefix="llmsynth-") as name:
        folder = Path(name)
        before = ray.get(office.files.remote())  # type: ignore[attr-defined]
        write_files(folder, before)
        try:
            train_folder(folder, lambda step: office.note.remote(step))  # type: ignore[attr-defined]
        except LlmsynthError as error:
            # Not raised: Ray would start the whole group again for an error that stays.
            ray.get(office.refuse.remote(error.message, error.hint))  # type: ignore[attr-defined]
            return
        if is_first:
            made = {k: v for k, v in read_files(folder).items() if before.get(k) != v}
            ray.get(office.deliver.remote(made))  # type: ignore[attr-defined]


def _fitted(trainer: TorchTrainer, office: ray.actor.ActorHandle) -> None:
    try:
        trainer.fit()
    except (RayError, RuntimeError) as error:
        raise TrainingError(f"Training on Ray failed: {error}") from error
    refusal = ray.get(office.refusal.remote())
    if refusal is not None:
        raise TrainingError(f"Training on Ray failed: {refusal[0]}", hint=refusal[1])


class _Listening:
    """Passes the workers' progress on while its block runs."""

    def __init__(self, office: ray.actor.ActorHandle, progress: Progress) -> None:
        self._office, self._progress = office, progress
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _listen(self) -> None:
        last: Step | None = None
        while not self._is_over.wait(_WAIT_SECONDS):
            with suppress(RayError):
                step = ray.get(self._office.step.remote(), timeout=_WAIT_SECONDS)
                if step is not None and step != last:
                    self._progress(step)
                    last = step
