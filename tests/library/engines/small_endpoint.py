"""A completions server that misbehaves on request: `small_endpoint.py BEHAVIOUR TOKEN_IDS_JSON`.

It prints its port, and serves one row, the given one, to everybody.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEHAVIOUR, ROW = sys.argv[1], json.loads(sys.argv[2])
COUNT = 0
LOCK = threading.Lock()


def answered(number: int) -> tuple[int, dict[str, object]]:
    """Status and body of call number `number`, counted from 1."""
    choice: dict[str, object] = {"finish_reason": "stop", "token_ids": ROW}
    match BEHAVIOUR:
        case "busy_twice" if number <= 2:
            return 503, {"error": "later"}
        case "refuses":
            return 404, {"error": "The model does not exist."}
        case "dies_after_5" if number > 5:
            os._exit(0)
        case "slow_after_5" if number > 5:
            time.sleep(60)
        case "slow_third" if number == 3:
            time.sleep(60)
        case "aborts":
            choice |= {"finish_reason": "abort", "token_ids": []}
        case "aborts_first" if number == 1:
            choice |= {"finish_reason": "abort", "token_ids": []}
        case "cuts":
            choice |= {"finish_reason": "length", "token_ids": ROW[:-2]}
        case "ignores_structure":
            choice |= {"token_ids": ROW[2:]}
        case "has_no_ids":
            choice.pop("token_ids")
    return 200, {"choices": [choice]}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": "small", "max_model_len": 256}]})

    def do_POST(self) -> None:
        global COUNT
        self.rfile.read(int(self.headers["Content-Length"]))
        with LOCK:
            COUNT += 1
            number = COUNT
        self._send(*answered(number))

    def _send(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
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
