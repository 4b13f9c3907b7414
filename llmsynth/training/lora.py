"""A pretrained model made ready to learn: its LoRA adapter, and logits only where they are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from torch import Tensor, nn

from llmsynth.errors import SettingsError
from llmsynth.training.tuning_settings import TuningSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def with_adapter(
    model: PreTrainedModel, settings: TuningSettings, device: torch.device | None = None
) -> PeftModel:
    """The model under a fresh adapter, which alone learns; the same seed gives the same start.

    Args:
        device: where it will learn; where it is when omitted.

    Raises:
        SettingsError: no layer has one of the names in `target_modules`.
    """
    on_gpu = (device or model.device).type == "cuda"
    if settings.four_bit:
        model = prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
            model, use_gradient_checkpointing=on_gpu
        )
    elif on_gpu:
        # Half as much memory for a third more time, which a GPU's larger batches make up for.
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()  # type: ignore[no-untyped-call]
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]
        lora_dropout=settings.dropout,
        target_modules=list(settings.target_modules) or "all-linear",
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        try:
            adapted = get_peft_model(model, config)
        except ValueError as error:
            raise SettingsError(
                f"The adapter cannot be made: {error}",
                hint="Correct target_modules, or leave them out for every linear layer.",
            ) from error
    assert isinstance(adapted, PeftModel)
    return adapted


def learned_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """The adapter's weights by name."""
    return {name: w for name, w in model.named_parameters() if w.requires_grad}


def save_adapter(
    model: PeftModel,
    folder: Path,
    base_name: str,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json`, as peft and vLLM read them.

    Args:
        base_name: what the base model is called in the configuration; no local path need leave
            the machine.
        weights: the adapter's, by name, where the model does not hold them whole.
    """
    config = model.peft_config["default"]
    before, config.base_model_name_or_path = config.base_model_name_or_path, base_name
    state = None if weights is None else dict(weights)
    model.save_pretrained(str(folder), save_embedding_layers=False, state_dict=state)
    config.base_model_name_or_path = before
    (folder / "README.md").unlink(missing_ok=True)  # a template with nothing filled in


class ChosenPlaces:
    """Lets a model's output layer see chosen places only.

    Logits of 49,152 tokens at places whose next token is not learned would cost a fifth of a step
    of a small model, and most of its memory. Whatever the model does to its logits afterwards
    (scaling, soft caps) still happens.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._chosen: Tensor | None = None
        head: nn.Module = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        head.register_forward_pre_hook(self._narrow)

    @contextmanager
    def only(self, places: Tensor) -> Iterator[None]:
        """Within, logits come as (1, chosen, vocabulary) for bool (rows, width) places."""
        self._chosen = places
        try:
            yield
        finally:
            self._chosen = None

    def _narrow(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        del module
        if self._chosen is None:
            return inputs
        return (inputs[0][self._chosen][None],)
