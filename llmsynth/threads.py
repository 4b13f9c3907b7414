"""How many threads may compute, and that those which wait do not use up a processor."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")
_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
"""GNU's and LLVM's (Intel's) OpenMP. By default a thread that is done spins until the others are,
at each of a step's thousands of small operations. Beside two busy processes on two cores a pass
over 3,000 rows of Adult did not end in 200 s so; with these settings it took 39 s, as long as with
one thread."""


def available_processors(*, cgroups: Path = _CGROUPS, own_group: Path = _OWN_GROUP) -> float:
    """Processors this process may use: by its affinity, and by the quota of its control group.

    Example:
        >>> available_processors() > 0
        True
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quotas = [quota for folder in _groups(cgroups, own_group) if (quota := _quota(folder))]
    return min([float(count), *quotas])


def num_threads() -> int:
    """Threads that compute at once: the whole processors that are available, and at least one."""
    return max(math.floor(available_processors()), 1)


def prepare_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have this process and its children wait without spinning, on as many threads as it may use.

    What the user has set stays. OpenMP reads its settings once, when torch or scikit-learn is
    loaded; where torch is loaded already, only the number of its threads can be lowered.
    """
    for name, value in _PASSIVE.items():
        environment.setdefault(name, value)
    threads = num_threads()
    if threads < (os.cpu_count() or 1):
        environment.setdefault("OMP_NUM_THREADS", str(threads))
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        allowed = environment.get("OMP_NUM_THREADS", "")
        most = int(allowed) if allowed.isdigit() and int(allowed) else threads
        if torch.get_num_threads() > most:
            torch.set_num_threads(most)


def _groups(cgroups: Path, own_group: Path) -> list[Path]:
    """The folders of this process's control groups and of all around them, versions 2 and 1."""
    try:
        lines = own_group.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        root = cgroups / "cpu" if "cpu" in controllers.split(",") else cgroups
        if controllers and root == cgroups:
            continue
        own = root / path.lstrip("/")
        # Inside a container the group's own folder is mounted as the root.
        folders += [own, *(one for one in own.parents if root in (one, *one.parents)), root]
    return folders


def _quota(folder: Path) -> float | None:
    """Processors that one control group grants; None where it sets no limit."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()[:2]
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="utf-8").strip()
            period = (folder / "cpu.cfs_period_us").read_text(encoding="utf-8").strip()
        if quota == "max" or int(quota) <= 0 or int(period) <= 0:
            return None
        return int(quota) / int(period)
    except (OSError, ValueError):
        return None
