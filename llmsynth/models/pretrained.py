"""A pretrained causal language model with its tokenizer, from wherever its name says."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedTokenizerFast,
)

from llmsynth.errors import MissingExtraError, ModelError
from llmsynth.models.model_folder import check_folder, fingerprint
from llmsynth.models.model_names import PACKAGED, cached_path, is_hub_id
from llmsynth.models.model_pull import HUB_FILES, without_progress_bars

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A loaded base model.

    name: as the user gave it.
    folder: where its files are.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    name: str
    folder: Path

    @property
    def context_length(self) -> int:
        """Most tokens it can read at once."""
        return int(getattr(self.model.config, "max_position_embeddings", None) or 1 << 30)

    def fingerprint(self) -> str:
        """sha256 of its files."""
        return fingerprint(self.folder)


def locate(name: str) -> Path:
    """The folder of a model: a local folder, one in the cache, or one fetched from the hub.

    Raises:
        ModelError: there is none, or it is not whole.
    """
    if Path(name).is_dir():
        folder = Path(name)
    elif (cached_path(name) / "config.json").is_file():
        folder = cached_path(name)
    elif name in PACKAGED:
        raise ModelError(
            f"The model {name!r} is not on this machine yet.",
            hint=f"Fetch it once: llmsynth models pull {name}",
        )
    elif is_hub_id(name):
        folder = _from_hub(name)
    else:
        folder = Path(name)
    check_folder(folder)
    return folder


def load_pretrained(
    name: str,
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    four_bit: bool = False,
) -> Pretrained:
    """Load a model and its tokenizer; code that comes with a model is never run.

    Args:
        name: a local folder, a short name, or a hub id.
        four_bit: hold the weights in four bits (NF4, double quantization); needs bitsandbytes.

    Raises:
        ModelError: no such model, not whole, no causal language model, or a foreign tokenizer.
        MissingExtraError: four bits without bitsandbytes.
    """
    folder = locate(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        with without_progress_bars():
            if four_bit:
                quantized = _four_bit(dtype)
                model = AutoModelForCausalLM.from_pretrained(
                    folder, dtype=dtype, quantization_config=quantized, device_map={"": device}
                )
            else:
                model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
                model.to(torch.device(device))  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"The model in {folder} cannot be loaded: {error}",
            hint="It has to be a causal language model that transformers knows.",
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(f"The tokenizer in {folder} is of an unknown kind.")
    _check_tokenizer(model, tokenizer, folder)
    return Pretrained(model=model, tokenizer=tokenizer, name=name, folder=folder)


def load_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """Load a tokenizer alone, for a model that a server runs.

    Args:
        name: a local folder, a short name, or a hub id.

    Raises:
        ModelError: there is none, or one of a foreign kind.
    """
    cached = cached_path(name)
    source = str(cached) if cached.is_dir() else name
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"The tokenizer of {name!r} cannot be loaded: {error}",
            hint="Name the model the server runs: a local folder, a pulled model, or a hub id.",
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(f"The tokenizer of {name!r} is of an unknown kind.")
    return tokenizer


def _from_hub(name: str) -> Path:
    try:
        return Path(snapshot_download(name, allow_patterns=list(HUB_FILES)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"The model {name!r} is neither on this machine nor to be had from the hub: {error}",
            hint=f"Check name and network, or use a packaged model: {', '.join(PACKAGED)}.",
        ) from error


def _four_bit(dtype: torch.dtype) -> BitsAndBytesConfig:
    if find_spec("bitsandbytes") is None:
        raise MissingExtraError(
            "Loading in four bits needs the package 'bitsandbytes', which is not installed.",
            hint="pip install bitsandbytes, or leave four_bit off.",
        )
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def _check_tokenizer(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, torch.Tensor)
    rows = len(weight)
    largest = max(tokenizer.get_vocab().values(), default=-1) + 1
    if largest > rows:
        raise ModelError(
            f"The tokenizer in {folder} has {largest} tokens and the model only {rows}: they do "
            "not belong together.",
            hint="Use the tokenizer the model was trained with.",
        )
