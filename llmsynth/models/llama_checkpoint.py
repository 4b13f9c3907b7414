"""A compact model under the names and settings of an ordinary Llama checkpoint.

`transformers.LlamaForCausalLM` loads the files and computes the same hidden states, given the sum
of token and place embeddings as `inputs_embeds` and zero `position_ids`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from llmsynth.errors import BundleError
from llmsynth.models.compact import NORM_EPS, CompactLayer, CompactModel, CompactShape


def llama_config(shape: CompactShape) -> dict[str, object]:
    """The `config.json` from which `transformers.LlamaConfig` builds the same network.

    Written out, since importing `transformers` for it would double the start of every command.
    """
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "vocab_size": shape.vocabulary_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_heads,
        "head_dim": shape.hidden_size // shape.num_heads,
        "hidden_act": "relu",
        "rms_norm_eps": NORM_EPS,
        "max_position_embeddings": len(shape.place_sizes) + 1,
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": shape.begin_token,
        "eos_token_id": None,
        "pad_token_id": None,
    }


def to_llama(model: CompactModel) -> dict[str, Tensor]:
    """The weights by their Llama names, float32."""
    shape = model.shape
    head = torch.zeros(shape.vocabulary_size, shape.hidden_size)
    head[: shape.num_tokens] = model.head.detach()
    out = {
        "model.embed_tokens.weight": model.embedding.detach(),
        "model.norm.weight": model.norm.detach(),
        "lm_head.weight": head,
    }
    for index, layer in enumerate(model.layers):
        assert isinstance(layer, CompactLayer)
        prefix = f"model.layers.{index}."
        for name, part in zip("qkv", layer.qkv.detach().chunk(3), strict=True):
            out[f"{prefix}self_attn.{name}_proj.weight"] = part
        for name, part in zip(("gate", "up"), layer.gate_up.detach().chunk(2), strict=True):
            out[f"{prefix}mlp.{name}_proj.weight"] = part
        out[f"{prefix}self_attn.o_proj.weight"] = layer.out.detach()
        out[f"{prefix}mlp.down_proj.weight"] = layer.down.detach()
        out[f"{prefix}input_layernorm.weight"] = layer.input_norm.detach()
        out[f"{prefix}post_attention_layernorm.weight"] = layer.post_norm.detach()
    return {name: tensor.contiguous() for name, tensor in out.items()}


@torch.no_grad()
def from_llama(shape: CompactShape, tensors: dict[str, Tensor]) -> CompactModel:
    """The compact model back from its Llama names.

    Raises:
        BundleError: a tensor is missing or has another shape.
    """
    model = CompactModel(shape)

    def read(name: str, into: Tensor) -> None:
        tensor = tensors.get(name)
        if tensor is None or tensor.shape != into.shape:
            found = "nothing" if tensor is None else f"shape {tuple(tensor.shape)}"
            raise BundleError(f"Expected {name} of shape {tuple(into.shape)}, found {found}.")
        into.copy_(tensor)

    read("model.embed_tokens.weight", model.embedding)
    read("model.norm.weight", model.norm)
    head = torch.empty(shape.vocabulary_size, shape.hidden_size)
    read("lm_head.weight", head)
    model.head.copy_(head[: shape.num_tokens])
    for index, layer in enumerate(model.layers):
        assert isinstance(layer, CompactLayer)
        prefix = f"model.layers.{index}."
        for name, part in zip("qkv", layer.qkv.chunk(3), strict=True):
            read(f"{prefix}self_attn.{name}_proj.weight", part)
        for name, part in zip(("gate", "up"), layer.gate_up.chunk(2), strict=True):
            read(f"{prefix}mlp.{name}_proj.weight", part)
        read(f"{prefix}self_attn.o_proj.weight", layer.out)
        read(f"{prefix}mlp.down_proj.weight", layer.down)
        read(f"{prefix}input_layernorm.weight", layer.input_norm)
        read(f"{prefix}post_attention_layernorm.weight", layer.post_norm)
    return model
