"""What the command line takes, and which command it runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from llmsynth.errors import LlmsynthError
from llmsynth_eval.cli.augment_command import add_augment
from llmsynth_eval.cli.gate_command import add_gate
from llmsynth_eval.cli.judge_command import add_judge
from llmsynth_eval.cli.related_command import add_related
from llmsynth_eval.cli.report_command import add_report
from llmsynth_eval.cli.shards_command import add_shards

COMMANDS = {
    "report": (add_report, "evaluate synthetic tables in full: report.json and report.html"),
    "judge": (add_judge, "measure one synthetic table quickly"),
    "shards": (add_shards, "measure a table of any size in Parquet files by sums alone"),
    "augment": (add_augment, "do synthetic rows of a rare class help to find it in real rows?"),
    "related": (add_related, "judge groups of rows in time, or tables joined by keys"),
    "gate": (add_gate, "hold a report against limits; exit status 1 where one is broken"),
}
WRONG_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 on success, 1 where a gate is broken, 2 where something given was wrong."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except LlmsynthError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_INPUT
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llmsynth-eval", description="How good is a synthetic table, whoever made it?"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (add_options, words) in COMMANDS.items():
        add_options(commands.add_parser(name, help=words, description=words.capitalize() + "."))
    return parser
