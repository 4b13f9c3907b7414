"""A fitted model on disk: safetensors and JSON, nothing that can execute, no raw rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from llmsynth.errors import BundleError, SchemaError
from llmsynth.schema.table_schema import TableSchema

FORMAT = "llmsynth-bundle-1"
_TENSORS, _CONFIG, _TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
_SCHEMA, _PROVENANCE = "schema.json", "provenance.json"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The files of a fitted synthesizer, in memory.

    tensors, vocabulary: of the compact model; both empty where there is none.
    config: the model's configuration, with what the sampler needs under `llmsynth`.
    vocabulary: one readable name per token, in token order.
    provenance: data hash, row count, versions, settings, seed, what was protected, training record.
    """

    tensors: Mapping[str, torch.Tensor]
    config: Mapping[str, object]
    vocabulary: list[str]
    schema: TableSchema
    provenance: Mapping[str, object] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the files into `folder`, making it where needed.

        Raises:
            BundleError: the folder cannot be written to.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self.tensors:
                save_file(dict(self.tensors), folder / _TENSORS, metadata={"format": "pt"})
                self._write(folder / _TOKENIZER, _tokenizer(self.vocabulary))
            self._write(folder / _CONFIG, dict(self.config))
            (folder / _SCHEMA).write_text(self.schema.to_json(), encoding="utf-8")
            self._write(folder / _PROVENANCE, {"format": FORMAT, **self.provenance})
        except (OSError, SafetensorError) as error:
            raise BundleError(
                f"{folder} cannot be written: {error}.", hint="Name another folder."
            ) from error

    @staticmethod
    def _write(path: Path, data: Mapping[str, object]) -> None:
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read the files back.

        Raises:
            BundleError: a file is missing, broken, or of another format.
        """
        _require(folder, _CONFIG, _SCHEMA, _PROVENANCE)
        config = _read(folder / _CONFIG)
        if has_compact_model(config):
            _require(folder, _TENSORS, _TOKENIZER)
        provenance = _read(folder / _PROVENANCE)
        if provenance.pop("format", None) != FORMAT:
            raise BundleError(f"{folder / _PROVENANCE}: expected format {FORMAT!r}.")
        try:
            tensors = load_file(folder / _TENSORS) if has_compact_model(config) else {}
        except (SafetensorError, OSError) as error:
            raise BundleError(f"{folder / _TENSORS} cannot be read: {error}.") from error
        try:
            schema = TableSchema.read(folder / _SCHEMA)
        except SchemaError as error:
            raise BundleError(f"{folder / _SCHEMA}: {error.message}") from error
        return cls(
            tensors=tensors,
            config=config,
            vocabulary=[],
            schema=schema,
            provenance=provenance,
        )


def has_compact_model(config: Mapping[str, object]) -> bool:
    """Whether a bundle of this configuration holds a model of its own, besides any adapter."""
    own = config.get("llmsynth")
    text = own.get("text") if isinstance(own, Mapping) else None
    return not (isinstance(text, Mapping) and text.get("path") == "pretrained")


def _require(folder: Path, *names: str) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise BundleError(
                f"{folder} is not a saved synthesizer: {name} is missing.",
                hint="Give the folder that `llmsynth fit --out` wrote.",
            )


def _read(path: Path) -> dict[str, object]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"{path} cannot be read: {error}.") from error
    if not isinstance(data, dict):
        raise BundleError(f"{path}: expected a JSON object.")
    return data


def _tokenizer(vocabulary: list[str]) -> dict[str, object]:
    """The vocabulary as a `tokenizers` word-level file, pieces split at line breaks."""
    names = [*vocabulary, "<row>"]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": "\n"},
            "behavior": "Removed",
            "invert": False,
        },
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {name: index for index, name in enumerate(names)},
            "unk_token": "<row>",
        },
    }
