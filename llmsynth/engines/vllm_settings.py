"""How vLLM is started in this process: where the model lies, and how much memory it may take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmsynth.errors import SettingsError

_CPU_CACHE_BYTES = 512 << 20
"""Left alone, vLLM's cache takes 92% of a machine's memory where there is no GPU."""


@dataclass(frozen=True, kw_only=True)
class VllmSettings:
    """One model, served to every table that has an adapter for it."""

    model: Path
    """A `transformers` folder with its tokenizer."""
    dtype: str = "float32"
    """Only float32 gives a row the same tokens whatever else is in its batch."""
    max_rows_at_once: int = 64
    """Rows in one batch; more wait for a place."""
    context_length: int | None = None
    """Most tokens of prompt and row together; None for as many as the model has."""
    cache_bytes: int | None = None
    """Memory for keys and values; None for 512 MiB on a CPU and what is free on a GPU."""
    max_adapters: int = 4
    """Adapters loaded at once, each in rows of their own; 0 to serve the base model only."""
    max_adapter_rank: int = 16
    """The largest LoRA rank that can be loaded."""

    def __post_init__(self) -> None:
        """Raise SettingsError for a value out of range, or a folder that holds no model."""
        checks = {
            "dtype": (self.dtype in {"float32", "bfloat16", "float16"}, "a floating type"),
            "max_rows_at_once": (self.max_rows_at_once >= 1, "at least 1"),
            "cache_bytes": (self.cache_bytes is None or self.cache_bytes > 0, "above 0, or None"),
            "max_adapters": (self.max_adapters >= 0, "at least 0"),
            "max_adapter_rank": (self.max_adapter_rank >= 1, "at least 1"),
        }
        for name, (holds, expected) in checks.items():
            if not holds:
                raise SettingsError(f"{name}: expected {expected}, got {getattr(self, name)}.")
        for file in ("config.json", "tokenizer.json"):
            if not (self.model / file).is_file():
                raise SettingsError(
                    f"Expected a model and its tokenizer in {self.model}; it has no {file}.",
                    hint="Save both there with `save_pretrained`.",
                )

    def engine_arguments(self, *, has_gpu: bool) -> dict[str, object]:
        """Keyword arguments of `vllm.EngineArgs`."""
        cache = self.cache_bytes or (None if has_gpu else _CPU_CACHE_BYTES)
        arguments: dict[str, object] = {
            "model": str(self.model),
            "dtype": self.dtype,
            "max_model_len": self.context_length,
            "max_num_seqs": self.max_rows_at_once,
            "kv_cache_memory_bytes": cache,
            "enable_prefix_caching": True,
            # CUDA graphs pay on a GPU; on a CPU compiling costs a minute at every start.
            "enforce_eager": not has_gpu,
            "structured_outputs_config": {"backend": "xgrammar"},
            # The model's own sampling defaults must not mix with the request's.
            "generation_config": "vllm",
            "disable_log_stats": True,
        }
        if self.max_adapters:
            ranks = (8, 16, 32, 64, 128, 256, 320, 512)
            arguments |= {
                "enable_lora": True,
                "max_lora_rank": next((r for r in ranks if r >= self.max_adapter_rank), 512),
                # A slot more than can be taken: on CPUs vLLM 0.32 gives rows without an adapter
                # the adapter of the last slot, which is one table's data in another's rows.
                "max_loras": self.max_adapters + 1,
            }
        return arguments
