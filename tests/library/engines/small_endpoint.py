"""A completions server that misbehaves on request: `small_endpoint.py BEHAVIOUR TOKEN_IDS_JSON`.

It prints its port, and serves one row, the given one, to everybody.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from completions_server import serve

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


def counted(_: object) -> tuple[int, dict[str, object]]:
    """Answer one call more."""
    global COUNT
    with LOCK:
        COUNT += 1
        number = COUNT
    return answered(number)


if __name__ == "__main__":
    serve({"id": "small", "max_model_len": 256}, counted)
