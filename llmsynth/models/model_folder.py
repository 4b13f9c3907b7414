"""A pretrained model's folder: whether it is whole, and a hash that tells it from others."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from llmsynth.errors import ModelError

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_CHUNK = 1 << 20


def check_folder(folder: Path) -> None:
    """Refuse a folder from which no model can be loaded.

    Raises:
        ModelError: missing, incomplete or truncated; the message names the file.
    """
    if not folder.is_dir():
        raise ModelError(
            f"There is no model folder {folder}.",
            hint="Give a folder, a hub id (owner/model), or a short name after "
            "`llmsynth models pull NAME`.",
        )
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder} is no whole model: {name} is missing.",
                hint="Fetch it again; a tokenizer without tokenizer.json has to be converted.",
            )
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="numpy") as file:
                file.keys()
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"{path} is truncated or no safetensors file: {error}.", hint="Fetch it again."
            ) from error


def weight_files(folder: Path) -> list[Path]:
    """The files of a model's weights, every shard of them.

    Raises:
        ModelError: one is missing, or the list of shards cannot be read.
    """
    names = [_WEIGHTS]
    if (folder / _INDEX).is_file():
        try:
            index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
            names = sorted(set(index["weight_map"].values()))
        except (ValueError, KeyError, AttributeError) as error:
            raise ModelError(f"{folder / _INDEX} cannot be read: {error}.") from error
    for name in names:
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder} is no whole model: {name} is missing.",
                hint="Fetch it again; weights in other formats than safetensors are not read.",
            )
    return [folder / name for name in names]


def fingerprint(folder: Path) -> str:
    """sha256 over configuration, tokenizer and weights: another model, another text."""
    digest = hashlib.sha256()
    for path in (folder / "config.json", folder / "tokenizer.json", *weight_files(folder)):
        digest.update(f"{path.name} {path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
