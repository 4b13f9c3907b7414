"""`python -m llmsynth_eval`, the same as `llmsynth-eval`."""

from __future__ import annotations

import sys

from llmsynth_eval.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
