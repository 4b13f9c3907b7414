"""Which engine draws a pretrained model's rows, as a user names it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmsynth.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from llmsynth.engines.engine import RowEngine

LOCAL = "local"
ENGINES = (LOCAL, "vllm", "openai")


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """An engine that is opened for one run and closed after it."""

    kind: str = LOCAL
    """`local`: transformers in this process; `vllm`: vLLM in this process; `openai`: a server."""
    base_url: str | None = None
    """Of a server, up to and including `/v1`."""
    served_model: str | None = None
    """What the server calls the base model; None for the first one it lists."""
    api_key: str | None = field(default=None, repr=False)
    """Sent to the server as a bearer token; None where it asks for none."""
    rows_at_once: int = 64
    """Rows drawn together by vLLM, or asked for at one time."""

    def __post_init__(self) -> None:
        """Raise SettingsError for an unknown engine, or settings that are not that engine's."""
        if self.kind not in ENGINES:
            raise SettingsError(f"engine must be one of {', '.join(ENGINES)}, got {self.kind!r}.")
        if self.rows_at_once < 1:
            raise SettingsError(f"rows_at_once: expected at least 1, got {self.rows_at_once}.")
        if self.kind == "openai" and self.base_url is None:
            raise SettingsError(
                "The engine 'openai' needs a base_url.", hint="Such as http://127.0.0.1:8000/v1."
            )
        if self.kind != "openai":
            for name in ("base_url", "served_model", "api_key"):
                if getattr(self, name) is not None:
                    raise SettingsError(
                        f"{name} is for the engine 'openai', and the engine is {self.kind!r}.",
                        hint="Leave it out, or choose --engine openai.",
                    )

    @property
    def is_local(self) -> bool:
        """Whether the model is run by this library itself."""
        return self.kind == LOCAL


def open_engine(choice: EngineChoice, *, model: Path, adapter_rank: int) -> RowEngine:
    """Start vLLM on a model, or connect to the server that serves it.

    Args:
        model: folder of the base model.
        adapter_rank: of the adapter that its rows need.

    Raises:
        MissingExtraError: the engine's packages are not installed.
        EngineError: vLLM cannot load the model.
        SettingsError: the local engine, which takes a model and no folder.
    """
    # Either engine brings packages that are extras, and vLLM takes seconds to load.
    if choice.kind == "vllm":
        from llmsynth.engines.vllm_engine import VllmEngine
        from llmsynth.engines.vllm_settings import VllmSettings

        return VllmEngine(
            VllmSettings(
                model=model,
                max_rows_at_once=choice.rows_at_once,
                max_adapters=1,
                max_adapter_rank=adapter_rank,
            )
        )
    if choice.kind == "openai":
        assert choice.base_url is not None
        try:
            from llmsynth.engines.endpoint_settings import EndpointSettings
            from llmsynth.engines.openai_endpoint import OpenAIEndpoint
        except ImportError as error:
            raise MissingExtraError(
                f"Asking a server needs httpx and anyio ({error}).",
                hint="pip install 'llmsynth[remote]'",
            ) from error
        return OpenAIEndpoint(
            EndpointSettings(
                base_url=choice.base_url,
                model=choice.served_model,
                api_key=choice.api_key,
                rows_at_once=choice.rows_at_once,
            )
        )
    raise SettingsError(f"Expected one of {', '.join(ENGINES[1:])}, got {choice.kind!r}.")
