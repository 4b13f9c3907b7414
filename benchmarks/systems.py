"""How each system is run: which Python, which script, which limits, as a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PEERS = FOLDER / "peers"
IDENTITY = "identity"
OURS = "ours"
THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
LOG_TAIL = 2_000


@dataclass(frozen=True, kw_only=True)
class System:
    """One arm of the benchmark."""

    name: str
    """`tabularargn`, `origami`, `origami+published`, `ours`, `ours@4x`, ..., or `identity`."""
    minutes: float | None = None
    """Limit on the fit; the system's own default when absent."""
    epochs: int | None = None
    """Passes over the table; the system's own default when absent."""
    threads: int | None = None
    """OpenMP threads; the system's own default when absent."""

    @property
    def time_factor(self) -> float | None:
        """The multiple of the reference peer's fit time that `ours@<factor>x` may use."""
        _, at, factor = self.name.partition("@")
        return float(factor.removesuffix("x")) if at else None

    @property
    def folder(self) -> str:
        """Its folder under `peers/`."""
        folder = re.split("[@+]", self.name)[0]
        return "llmsynth" if folder == OURS else folder

    @property
    def preset(self) -> str | None:
        """The name after `+`: a set of settings that its `run.py` knows."""
        return self.name.partition("+")[2] or None

    @property
    def python(self) -> Path:
        """Its interpreter: the peer's own, or the one that runs the harness."""
        return (
            Path(sys.executable)
            if self.folder == "llmsynth"
            else (PEERS / self.folder / ".venv" / "bin" / "python")
        )

    @property
    def settings(self) -> dict[str, float]:
        """The settings named on the command line, as the ledger keeps them."""
        given = {"minutes": self.minutes, "epochs": self.epochs, "threads": self.threads}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What a finished run reported."""

    fit_s: float
    fit_cpu_s: float
    """Processor seconds: on a busy machine the fairer cost, for systems of few processes."""
    sample_s: float
    sample_cpu_s: float
    version: str
    threads: int
    settings: Mapping[str, object]


class RunFailedError(RuntimeError):
    """A system ended without a table; the message holds the end of its log."""


def read_system(
    name: str, *, minutes: Mapping[str, float], epochs: Mapping[str, float], threads: int | None
) -> System:
    """The arm of this name.

    Raises:
        SystemExit: no such arm, a factor that is no number, or a peer without its environment.
    """
    limit = epochs.get(name)
    system = System(
        name=name,
        minutes=minutes.get(name),
        epochs=None if limit is None else int(limit),
        threads=threads,
    )
    try:
        known = name == IDENTITY or (PEERS / system.folder / "run.py").exists()
        factor = system.time_factor
    except ValueError:
        known, factor = False, None
    if not known or (factor is not None and system.folder != "llmsynth"):
        raise SystemExit(f"Expected tabularargn, origami, ours, ours@4x or identity, got {name!r}.")
    if name != IDENTITY and not system.python.exists():
        raise SystemExit(f"First: python {PEERS / 'setup_peer.py'} {system.folder}")
    return system


def run(
    system: System,
    folder: Path,
    *,
    train: Path,
    rows: int,
    seed: int,
    target: str,
    dates: Sequence[str],
    minutes: float | None,
) -> tuple[Path, Timing]:
    """Fit and sample in a new process; its output goes to `folder/log.txt`.

    Returns:
        The synthetic CSV file, and what was measured.

    Raises:
        RunFailedError: the process failed, or left no table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    out, timing = folder / "synthetic.csv", folder / "timing.json"
    for old in (out, timing):
        old.unlink(missing_ok=True)
    command = [
        *(system.python, PEERS / system.folder / "run.py"),
        *("--train", train, "--rows", rows, "--out", out, "--seed", seed),
        *("--target", target, "--json", timing),
        *(("--max-minutes", minutes) if minutes is not None else ()),
        *(("--epochs", system.epochs) if system.epochs is not None else ()),
        *(("--preset", system.preset) if system.preset is not None else ()),
        *(("--dates", *dates) if dates else ()),
    ]
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        done = subprocess.run(
            [str(word) for word in command],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(system),
            check=False,
        )
    if done.returncode or not out.exists():
        text = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        raise RunFailedError(f"exit status {done.returncode}: {text[-LOG_TAIL:]}")
    return out, Timing(**json.loads(timing.read_text(encoding="utf-8")))


def _environment(system: System) -> dict[str, str]:
    """The environment with this arm's threads, whatever the shell's own setting of them."""
    kept = {name: value for name, value in os.environ.items() if name not in THREAD_SETTINGS}
    paths = [str(PEERS / "contract")]
    if system.folder == "llmsynth":
        paths += [str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    if system.threads is not None:
        kept |= dict.fromkeys(THREAD_SETTINGS, str(system.threads))
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}
