"""Tokens and rows per second, constrained against unconstrained, on the local engine and on vLLM.

    python benchmarks/decoding.py --model FOLDER --results decoding.jsonl

FOLDER holds a `transformers` model such as SmolLM2-135M; without one, random weights of its shape
are used. Both arms draw rows of the same lengths at the same batch size, so that they differ in
the mask alone: the constrained arm goes first, and the other one repeats its lengths. The arms take
turns `--repeats` times. Seconds are the processor's on a CPU, which other work on the machine slows
less, and the clock's on a GPU, where a model of one billion random weights follows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Protocol, TypeVar

import machine
import torch
from language_models import write_random_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from llmsynth import demo_tables
from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.cached_decoding import CachedDecoding
from llmsynth.engines.engine import RowRequest, SamplingSettings
from llmsynth.engines.grouped_attention import grouped_attention
from llmsynth.engines.local_engine import LocalEngine
from llmsynth.engines.served_rows import row_seed, served_pattern
from llmsynth.engines.vllm_settings import VllmSettings
from llmsynth.schema import infer_schema

Result = TypeVar("Result")
NARROW = ["age", "sex", "hours_per_week", "income"]


def main() -> None:
    """Measure, and append one JSON line per figure to the results."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(options.model or scratch)
        if not options.model:
            write_random_model(folder, shape="135m")
        _measure(folder, options, "cpu" if not torch.cuda.is_available() else "cuda", "float32")
    if not torch.cuda.is_available():
        print("No GPU here: the model of one billion weights is left out.")
        return
    with tempfile.TemporaryDirectory() as scratch:
        write_random_model(Path(scratch), shape="1b")
        _measure(Path(scratch), options, "cuda", "bfloat16")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, help="folder of a transformers model")
    parser.add_argument("--rows", type=int, default=32, help="rows of a run, all in one batch")
    parser.add_argument("--most-tokens", type=int, default=96, help="most tokens of a row")
    parser.add_argument("--repeats", type=int, default=3, help="turns; the median counts")
    parser.add_argument("--engines", nargs="+", default=["local", "vllm"])
    parser.add_argument("--results", type=Path, required=True)
    return parser.parse_args()


def _measure(folder: Path, options: argparse.Namespace, device: str, dtype: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    facts = {
        "date": date.today().isoformat(),
        **machine.describe(),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "model": folder.name if options.model else "random weights",
        "dtype": dtype,
        "threads": torch.get_num_threads(),
        "rows": options.rows,
    }
    requests = {
        name: _request(pattern, tokenizer, options) for name, pattern in _patterns().items()
    }
    for engine in options.engines:
        arms = (_LocalArms if engine == "local" else _VllmArms)(folder, options.rows, device, dtype)
        for schema, request in requests.items():
            figure = _turns(arms, request, options.repeats)
            line = json.dumps({**facts, "engine": engine, "schema": schema, **figure})
            print(line, flush=True)
            with options.results.open("a", encoding="utf-8") as handle:
                handle.write(line + "\n")


def _patterns() -> dict[str, str]:
    adult = demo_tables.load("adult")
    tables = {
        "narrow": adult.select(NARROW),
        "wide": adult,
        "text": demo_tables.load("mts_dialog"),
    }
    return {name: RowLanguage(infer_schema(table)).regex() for name, table in tables.items()}


def _request(pattern: str, tokenizer: object, options: argparse.Namespace) -> RowRequest:
    automaton = TokenAutomaton.compile(pattern, tokenizer)  # type: ignore[arg-type]
    return RowRequest(
        automaton=automaton,
        pattern=pattern,
        prefix_ids=[[]] * options.rows,
        prompt_ids=[automaton.eos_token_id],
        settings=SamplingSettings(seed=1, max_new_tokens=options.most_tokens),
    )


class _Arms(Protocol):
    """An engine that can draw rows with the mask and without it."""

    def constrained(self, request: RowRequest) -> tuple[list[int], float | None]:
        """Draw the rows; tokens of each, and the share of probability that the mask removed."""

    def free(self, request: RowRequest, lengths: Sequence[int]) -> None:
        """Draw rows of these lengths without a mask."""


def _turns(arms: _Arms, request: RowRequest, repeats: int) -> dict[str, object]:
    """Both arms in turn; the first turn warms caches and does not count."""
    held, bare = [], []
    for _ in range(repeats + 1):
        seconds, (lengths, removed) = _timed(arms.constrained, request)
        held.append(seconds)
        bare.append(_timed(arms.free, request, lengths)[0])
    held, bare = held[1:], bare[1:]
    tokens, most, least = sum(lengths), statistics.median(held), statistics.median(bare)
    return {
        "tokens": tokens,
        "constrained_tokens_per_s": round(tokens / most, 1),
        "unconstrained_tokens_per_s": round(tokens / least, 1),
        "share_of_unconstrained": round(least / most, 3),
        "share_of_each_turn": [round(b / h, 3) for h, b in zip(held, bare, strict=True)],
        "constrained_rows_per_s": round(len(lengths) / most, 2),
        "removed_mass": removed,
    }


def _timed(run: Callable[..., Result], *arguments: object) -> tuple[float, Result]:
    has_gpu = torch.cuda.is_available()
    clock = time.perf_counter if has_gpu else time.process_time
    started = clock()
    result = run(*arguments)
    if has_gpu:
        torch.cuda.synchronize()
    return clock() - started, result


class _LocalArms:
    def __init__(self, folder: Path, num_rows: int, device: str, dtype: str) -> None:
        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        self._model = loaded.to(device).eval()
        self._engine = LocalEngine(self._model, batch_size=num_rows)

    def constrained(self, request: RowRequest) -> tuple[list[int], float]:
        rows = list(self._engine.rows(request))
        lengths = [len(row.token_ids) for row in rows]
        removed = sum((row.removed_mass or 0) * len(row.token_ids) for row in rows)
        return lengths, round(removed / sum(lengths), 4)

    @torch.inference_mode()
    def free(self, request: RowRequest, lengths: Sequence[int]) -> None:
        """Drops rows and attends as the local engine does."""
        decoding = CachedDecoding(
            model=self._model, prompt=request.prompt_ids, prefixes=request.prefix_ids
        )
        wanted = torch.tensor(lengths, device=self._model.device)
        rows = torch.arange(len(lengths), device=self._model.device)
        with grouped_attention(self._model):
            for step in range(max(lengths)):
                rows = rows[wanted[rows] > step]
                if len(rows) < 0.75 * decoding.num_rows:
                    decoding.keep(rows)
                odds = decoding.next_logits(rows).float().softmax(dim=1)
                decoding.write(rows, torch.multinomial(odds, 1)[:, 0])


class _VllmArms:
    def __init__(self, folder: Path, num_rows: int, device: str, dtype: str) -> None:
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        from vllm import LLM

        settings = VllmSettings(
            model=folder, dtype=dtype, max_rows_at_once=num_rows, max_adapters=0
        )
        self._llm = LLM(**settings.engine_arguments(has_gpu=device == "cuda"))

    def constrained(self, request: RowRequest) -> tuple[list[int], None]:
        return self._draw(request, None), None

    def free(self, request: RowRequest, lengths: Sequence[int]) -> None:
        self._draw(request, lengths)

    def _draw(self, request: RowRequest, lengths: Sequence[int] | None) -> list[int]:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        structure = StructuredOutputsParams(regex=served_pattern(request))
        most = request.settings.max_new_tokens
        parameters = [
            SamplingParams(
                seed=row_seed(1, row),
                max_tokens=most if lengths is None else lengths[row],
                ignore_eos=lengths is not None,
                structured_outputs=structure if lengths is None else None,
                detokenize=False,
            )
            for row in range(len(request.prefix_ids))
        ]
        prompts = [{"prompt_token_ids": list(request.prompt_ids)}] * len(parameters)
        outputs = self._llm.generate(prompts, parameters, use_tqdm=False)
        return [len(output.outputs[0].token_ids) for output in outputs]


if __name__ == "__main__":
    main()
