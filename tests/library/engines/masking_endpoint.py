"""A completions server that runs a model and keeps to `structured_outputs`: `... MODEL_FOLDER`.

It prints its port. One row an answer, like the servers that `OpenAIEndpoint` is made for.
"""

from __future__ import annotations

import sys
import threading
from functools import cache

from completions_server import serve
from transformers import AutoTokenizer, LlamaForCausalLM

from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.causal_lm import DecodingSettings, sample_rows
from llmsynth.engines.stop_reason import StopReason

MODEL = LlamaForCausalLM.from_pretrained(sys.argv[1]).eval()
TOKENIZER = AutoTokenizer.from_pretrained(sys.argv[1])
LOCK = threading.Lock()


@cache
def automaton(pattern: str) -> TokenAutomaton:
    return TokenAutomaton.compile(pattern, TOKENIZER)


def completed(body: dict[str, object]) -> tuple[int, dict[str, object]]:
    structure, prompt = body["structured_outputs"], body["prompt"]
    assert isinstance(structure, dict)
    assert isinstance(prompt, list)
    settings = DecodingSettings(
        seed=int(str(body["seed"])), max_new_tokens=int(str(body["max_tokens"]))
    )
    with LOCK:
        drawn = sample_rows(
            MODEL,
            automaton(structure["regex"]),
            prefix_ids=[[]],
            prompt_ids=prompt,
            settings=settings,
        )
    ids = drawn.token_ids[0, : int(drawn.lengths[0])].tolist()
    is_whole = int(drawn.reasons[0]) == StopReason.FINISHED
    reason = "stop" if is_whole else "length"
    return 200, {"choices": [{"finish_reason": reason, "token_ids": ids}]}


if __name__ == "__main__":
    serve({"id": "tiny", "max_model_len": 2048}, completed)
