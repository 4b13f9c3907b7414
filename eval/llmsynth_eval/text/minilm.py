"""The forward pass of a small BERT in numpy: token numbers in, one unit vector a text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Array = NDArray[np.float32]
HEADS = 12
EPSILON = np.float32(1e-12)


@dataclass(frozen=True, kw_only=True)
class MiniLmWeights:
    """The model's tensors by their names in the checkpoint."""

    tensors: Mapping[str, Array]

    @property
    def width(self) -> int:
        return int(self.tensors["embeddings.word_embeddings.weight"].shape[1])

    @property
    def num_layers(self) -> int:
        names = self.tensors
        return len({name.split(".")[2] for name in names if name.startswith("encoder.layer.")})


def read_weights(path: Path) -> MiniLmWeights:
    """Read a BERT checkpoint of safetensors."""
    from safetensors.numpy import load_file  # optional: only who asks for a model needs it

    return MiniLmWeights(tensors=load_file(str(path)))


def sentence_vectors(weights: MiniLmWeights, ids: Sequence[Sequence[int]]) -> Array:
    """Mean of the last layer over each text's tokens, at unit length; shape (texts, width).

    Source: Reimers and Gurevych (2019), "Sentence-BERT", EMNLP, section 3 (mean pooling).
    """
    length = max(map(len, ids))
    tokens = np.zeros((len(ids), length), dtype=np.int64)
    mask = np.zeros((len(ids), length), dtype=np.float32)
    for row, text in enumerate(ids):
        tokens[row, : len(text)] = text
        mask[row, : len(text)] = 1
    hidden = _embedded(weights.tensors, tokens)
    for layer in range(weights.num_layers):
        hidden = _layer(weights.tensors, f"encoder.layer.{layer}.", hidden, mask)
    mean = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    vectors: Array = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return vectors


def _embedded(tensors: Mapping[str, Array], tokens: NDArray[np.int64]) -> Array:
    total = (
        tensors["embeddings.word_embeddings.weight"][tokens]
        + tensors["embeddings.position_embeddings.weight"][None, : tokens.shape[1]]
        + tensors["embeddings.token_type_embeddings.weight"][0]
    )
    return _normed(tensors, "embeddings.LayerNorm.", total)


def _layer(tensors: Mapping[str, Array], prefix: str, hidden: Array, mask: Array) -> Array:
    attended = _attended(tensors, prefix + "attention.self.", hidden, mask)
    attended = _linear(tensors, prefix + "attention.output.dense.", attended)
    hidden = _normed(tensors, prefix + "attention.output.LayerNorm.", hidden + attended)
    wide = _gelu(_linear(tensors, prefix + "intermediate.dense.", hidden))
    narrow = _linear(tensors, prefix + "output.dense.", wide)
    return _normed(tensors, prefix + "output.LayerNorm.", hidden + narrow)


def _attended(tensors: Mapping[str, Array], prefix: str, hidden: Array, mask: Array) -> Array:
    rows, length, width = hidden.shape
    query, key, value = (
        _linear(tensors, f"{prefix}{part}.", hidden)
        .reshape(rows, length, HEADS, width // HEADS)
        .transpose(0, 2, 1, 3)
        for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // HEADS))
    scores = np.where(mask[:, None, None, :] > 0, scores, np.float32(-1e9))
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = scores / scores.sum(axis=-1, keepdims=True)
    mixed: Array = (shares @ value).transpose(0, 2, 1, 3).reshape(rows, length, width)
    return mixed


def _linear(tensors: Mapping[str, Array], prefix: str, hidden: Array) -> Array:
    result: Array = hidden @ tensors[prefix + "weight"].T + tensors[prefix + "bias"]
    return result


def _normed(tensors: Mapping[str, Array], prefix: str, hidden: Array) -> Array:
    centred = hidden - hidden.mean(axis=-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    result: Array = centred / scale * tensors[prefix + "weight"] + tensors[prefix + "bias"]
    return result


def _gelu(values: Array) -> Array:
    result: Array = values * np.float32(0.5) * (1 + erf(values / np.float32(np.sqrt(2))))
    return result
