"""`gate`: a report and its limits in; an exit status that a pipeline can act on out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from llmsynth.errors import InputError
from llmsynth_eval.gate import Gates
from llmsynth_eval.report import Report

BROKEN = 1


def add_gate(parser: argparse.ArgumentParser) -> None:
    """Describe the options of `gate`."""
    parser.add_argument("report", metavar="report.json")
    parser.add_argument("gates", metavar="gates.toml", help="limits of figures and headlines")
    parser.set_defaults(run=run_gate)


def run_gate(options: argparse.Namespace) -> int:
    """Hold the report against the gates; 1 and one line each where some are broken.

    Raises:
        InputError: the report or the gates cannot be read.
    """
    gates = Gates.read(options.gates)
    broken = gates.broken_by(_read(options.report))
    for words in broken:
        print(f"broken: {words}", file=sys.stderr)
    if broken:
        return BROKEN
    print("Every gate is kept.")
    return 0


def _read(path: str) -> Report:
    try:
        return Report.from_json(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read the report {path}: {error}.") from error
