"""The one-run audit's bound, asked of the judges, a package this one must not import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from llmsynth.errors import LlmsynthError

_ASKED = """
import json, sys
from dataclasses import asdict
from llmsynth_eval.privacy import epsilon_lower_bound
asked = json.load(sys.stdin)
print(json.dumps(asdict(epsilon_lower_bound(**asked))))
"""


def proved(scores: Sequence[float], planted: Sequence[bool], *, delta: float) -> dict[str, float]:
    """What the scores prove of epsilon at 95% confidence.

    Returns:
        `epsilon`, a lower bound, with `num_guesses` and `num_correct`.

    Raises:
        LlmsynthError: the judges failed; with their last line.
    """
    asked = {"scores": list(scores), "planted": list(planted), "delta": delta}
    run = subprocess.run(
        [sys.executable, "-c", _ASKED],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or ["no reason given"]
        raise LlmsynthError(f"The judges failed: {lines[-1]}")
    found = json.loads(run.stdout)
    return {name: float(found[name]) for name in ("epsilon", "num_guesses", "num_correct")}
