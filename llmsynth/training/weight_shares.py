"""A model's weights spread over the processes of a training: cut, gathered, and cut again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator
from accelerate.utils import (
    FullyShardedDataParallelPlugin,
    fsdp2_prepare_model,
    parse_flag_from_env,
)
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy
from torch.distributed.tensor import DTensor, distribute_tensor

from llmsynth.errors import SettingsError

if TYPE_CHECKING:
    from llmsynth.training.tuning_settings import TuningSettings


def sharding_plugin(
    settings: TuningSettings, dtype: torch.dtype
) -> FullyShardedDataParallelPlugin | None:
    """How accelerate is to spread weights; None where every process holds all of them.

    `accelerate launch --use_fsdp` asks for it, too, and its options are then taken.

    Raises:
        SettingsError: the launcher's options are those of FSDP's first version.
    """
    if parse_flag_from_env("ACCELERATE_USE_FSDP"):
        plugin = FullyShardedDataParallelPlugin()
        if plugin.fsdp_version != 2:
            raise SettingsError(
                f"Expected --fsdp_version 2, got {plugin.fsdp_version}.",
                hint="accelerate launch --use_fsdp --fsdp_version 2 "
                "--fsdp_auto_wrap_policy TRANSFORMER_BASED_WRAP ...",
            )
        return plugin
    if not settings.shard_weights:
        return None
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="transformer_based_wrap",
        # Gradients of the adapter are few and stay exact.
        mixed_precision_policy=MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32),
    )


def spread(
    model: nn.Module, accelerator: Accelerator, plugin: FullyShardedDataParallelPlugin
) -> None:
    """Leave each process its share of every weight, in place; layers are gathered as they are used.

    Fully sharded data parallelism (Zhao et al. 2023, arXiv 2304.11277) as `fully_shard` of PyTorch
    does it. Every process comes with the same model, on processors; shares go to its device.
    """
    # accelerate hands a plugin on for GPUs alone; what prepares a model works on processors, too.
    accelerator.state.fsdp_plugin = plugin
    fsdp2_prepare_model(accelerator, model)
    if accelerator.device.type == "cpu":
        for module in _spread_parts(model):
            # gloo adds and does not average.
            module.set_force_sum_reduction_for_comms(True)


def release(model: nn.Module) -> None:
    """Let go of weights that a pass without gradients gathered and left gathered."""
    for module in _spread_parts(model):
        module.reshard()


def _spread_parts(model: nn.Module) -> Iterator[FSDPModule]:
    return (module for module in model.modules() if isinstance(module, FSDPModule))


def whole(tensor: Tensor) -> Tensor:
    """All of a weight, of which this process may hold a share; all processes make the call."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def share_of(tensor: Tensor, like: Tensor) -> Tensor:
    """A process's share of a tensor that it holds whole, cut as `like` is."""
    tensor = tensor.to(like.device)
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    # Every process has the same one: nothing need be sent.
    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)
