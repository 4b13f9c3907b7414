"""Seconds to decode long rows: this project's cache and attention against transformers' own.

    python benchmarks/long_texts.py --model FOLDER --rows 16 --tokens 128 512 --results long.jsonl

Both arms draw the likeliest token of the same model, so their rows should be the same; arms take
turns. Seconds are the processor's on a CPU. One JSON line per length.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import machine
import torch
from language_models import write_random_model
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from llmsynth.engines.cached_decoding import CachedDecoding
from llmsynth.engines.grouped_attention import grouped_attention

_FIRST_TOKEN = 1000


def main() -> None:
    """Measure, and append one JSON line per length to the results."""
    options = _options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.model or Path(scratch)
        if not options.model:
            write_random_model(folder, shape="135m")
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=options.dtype).eval()
    facts = {
        "date": date.today().isoformat(),
        "model": folder.name if options.model else "random weights",
        "dtype": options.dtype,
        "threads": options.threads,
        "rows": options.rows,
    }
    for steps in options.tokens:
        line = json.dumps({**facts, **machine.describe(), **_turns(model, steps, options)})
        print(line, flush=True)
        with options.results.open("a", encoding="utf-8") as handle:
            handle.write(line + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, help="folder of a transformers model")
    parser.add_argument("--rows", type=int, default=16, help="rows drawn together")
    parser.add_argument("--tokens", type=int, nargs="+", default=[128, 512], help="of each row")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=2, help="turns; the median counts")
    parser.add_argument("--results", type=Path, required=True)
    return parser.parse_args()


def _turns(model: PreTrainedModel, steps: int, options: argparse.Namespace) -> dict[str, object]:
    _own(model, options.rows, 4)
    seconds: dict[str, list[float]] = {"own": [], "transformers": []}
    drawn: dict[str, Tensor] = {}
    for _ in range(options.repeats):
        for name, draw in (("own", _own), ("transformers", _transformers)):
            took, drawn[name] = _timed(draw, model, options.rows, steps)
            seconds[name].append(took)
    own, other = (statistics.median(seconds[name]) for name in ("own", "transformers"))
    same = (drawn["own"] == drawn["transformers"]).all(dim=1)
    return {
        "tokens": steps,
        "own_tokens_per_s": round(options.rows * steps / own, 1),
        "transformers_tokens_per_s": round(options.rows * steps / other, 1),
        "times_as_fast": round(other / own, 2),
        "equal_rows": int(same.sum()),
    }


def _timed(
    draw: Callable[[PreTrainedModel, int, int], Tensor],
    model: PreTrainedModel,
    rows: int,
    steps: int,
) -> tuple[float, Tensor]:
    clock = time.perf_counter if model.device.type == "cuda" else time.process_time
    started = clock()
    tokens = draw(model, rows, steps)
    return clock() - started, tokens


@torch.inference_mode()
def _own(model: PreTrainedModel, rows: int, steps: int) -> Tensor:
    prefixes = [[_FIRST_TOKEN + row] for row in range(rows)]
    decoding = CachedDecoding(model=model, prompt=[0], prefixes=prefixes)
    everyone, drawn = torch.arange(rows), []
    with grouped_attention(model):
        for _ in range(steps):
            drawn.append(decoding.next_logits(everyone).argmax(dim=1))
            decoding.write(everyone, drawn[-1])
    return torch.stack(drawn, dim=1)


@torch.inference_mode()
def _transformers(model: PreTrainedModel, rows: int, steps: int) -> Tensor:
    tokens = torch.tensor([[0, _FIRST_TOKEN + row] for row in range(rows)])
    cache, drawn = None, []
    for _ in range(steps):
        output = model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = output.past_key_values
        drawn.append(output.logits[:, -1].argmax(dim=1))
        tokens = drawn[-1][:, None]
    return torch.stack(drawn, dim=1)


if __name__ == "__main__":
    main()
