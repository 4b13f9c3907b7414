"""The model behind a prompted synthesizer: loaded here, or only its tokenizer for one elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from llmsynth.codec.span_hashes import SpanHashes
from llmsynth.engines.copy_guard import CopyGuard
from llmsynth.engines.engine import RowEngine
from llmsynth.engines.local_engine import LocalEngine
from llmsynth.models.precision import fastest_dtype
from llmsynth.models.pretrained import Pretrained, load_pretrained, load_tokenizer, locate


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model in this process."""

    pretrained: Pretrained
    batch_rows: int

    @property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The model's own."""
        return self.pretrained.tokenizer

    @property
    def fingerprint(self) -> str:
        """sha256 of the model's files."""
        return self.pretrained.fingerprint()

    def guarded(self, spans: SpanHashes | None) -> LocalEngine:
        """An engine that keeps these spans out of what it writes."""
        guard = None if spans is None else CopyGuard(spans)
        return LocalEngine(self.pretrained.model, batch_size=self.batch_rows, guard=guard)


def local_engine(name: str, batch_rows: int) -> LoadedModel:
    """Load a model onto the fastest device there is.

    Raises:
        ModelError: it is not on this machine, or broken.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    loaded = load_pretrained(name, dtype=fastest_dtype(device), device=device)
    return LoadedModel(pretrained=loaded, batch_rows=batch_rows)


def tokenizer_of(name: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a model that runs elsewhere.

    Raises:
        ModelError: there is none.
    """
    return load_tokenizer(name)


def served_engine(
    model: str, *, base_url: str | None, served_model: str | None = None, key: str | None = None
) -> RowEngine:
    """A server's model, or, without an address, this one on vLLM in this process.

    Raises:
        ModelError: vLLM is to run a model that is not on this machine.
        MissingExtraError: vLLM is not installed.
    """
    if base_url is not None:
        # Each engine is an extra of its own.
        from llmsynth.engines.endpoint_settings import EndpointSettings
        from llmsynth.engines.openai_endpoint import OpenAIEndpoint

        settings = EndpointSettings(base_url=base_url, model=served_model, api_key=key)
        return OpenAIEndpoint(settings)
    from llmsynth.engines.vllm_engine import VllmEngine
    from llmsynth.engines.vllm_settings import VllmSettings

    return VllmEngine(VllmSettings(model=locate(model), max_adapters=0))
