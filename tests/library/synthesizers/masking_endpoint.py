"""A completions server that runs a model and keeps to `structured_outputs`: `... MODEL_FOLDER`.

It prints its port. One row an answer, like the servers that `OpenAIEndpoint` is made for.
"""

from __future__ import annotations

import json
import sys
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


def completed(body: dict[str, object]) -> dict[str, object]:
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
    return {"choices": [{"finish_reason": "stop" if is_whole else "length", "token_ids": ids}]}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._send({"data": [{"id": "tiny", "max_model_len": 2048}]})

    def do_POST(self) -> None:
        self._send(completed(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

    def _send(self, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
