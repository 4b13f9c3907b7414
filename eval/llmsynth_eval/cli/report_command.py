"""`report`: real and synthetic files in, report.json and report.html out."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from llmsynth.errors import InputError, SettingsError
from llmsynth.schema.table_schema import TableSchema
from llmsynth_eval.cli.table_files import read_table, write_text
from llmsynth_eval.entrance import ALL_TOPICS, ONE_TABLE
from llmsynth_eval.evaluate import evaluate
from llmsynth_eval.overall import overall_words
from llmsynth_eval.pages.report_page import write_report_page
from llmsynth_eval.report import Report
from llmsynth_eval.text import MiniLm
from llmsynth_eval.utility.equivalence import DEFAULT_MARGIN


def add_report(parser: argparse.ArgumentParser) -> None:
    """Describe the options of `report`."""
    parser.add_argument("--train", required=True, metavar="FILE", help="rows learned from")
    parser.add_argument("--holdout", required=True, metavar="FILE", help="real rows never seen")
    parser.add_argument(
        "--synthetic",
        required=True,
        action="append",
        metavar="[NAME=]FILE",
        help="a synthetic table; several, each with a name, are compared",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the report")
    parser.add_argument("--target", metavar="COLUMN", help="column to predict")
    parser.add_argument("--schema", metavar="FILE", help="schema.json: kinds and constraints")
    parser.add_argument("--numeric", nargs="+", metavar="COLUMN", help="the numeric columns")
    parser.add_argument("--group", metavar="COLUMN", help="judge each of its values as well")
    parser.add_argument(
        "--quasi-identifier",
        action="append",
        default=[],
        metavar="COLUMN",
        help="a column an attacker may know; may be given often",
    )
    parser.add_argument(
        "--topic",
        action="append",
        choices=ALL_TOPICS,
        help="measure only this; may be given often (default: everything)",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=DEFAULT_MARGIN,
        help="differences of predictive scores that do not matter (default: %(default)s)",
    )
    parser.add_argument(
        "--rare-class",
        nargs="?",
        const=True,
        default=False,
        metavar="CLASS",
        help="measure what its synthetic rows add to train (slow); without CLASS the rarest",
    )
    parser.add_argument(
        "--embedder",
        choices=("words", "minilm"),
        default="words",
        help="how texts become vectors; minilm needs the extra text-eval",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--title", help="title of the page")
    parser.set_defaults(run=run_report)


def run_report(options: argparse.Namespace) -> int:
    """Evaluate, write both files, print the verdict; 0 even where headlines alarm."""
    files = named_files(options.synthetic)
    folder = _folder(options.out)
    report = evaluate(
        read_table(options.train),
        read_table(options.holdout),
        {name: read_table(path) for name, path in files.items()},
        target=options.target,
        schema=TableSchema.read(options.schema) if options.schema else None,
        numeric=options.numeric,
        group=options.group,
        quasi_identifiers=options.quasi_identifier,
        margin=options.margin,
        rare_class=options.rare_class,
        embedder=MiniLm() if options.embedder == "minilm" else None,
        topics=options.topic or ALL_TOPICS,
        seed=options.seed,
        provenance=_provenance(options, files),
    )
    write_text(report.to_json(), folder / "report.json", what="report")
    title = options.title or f"Evaluation of {', '.join(path.name for path in files.values())}"
    write_report_page(report, folder / "report.html", title=title)
    print(_summary(report), end="")
    return 0


def named_files(given: Iterable[str]) -> dict[str, Path]:
    """`NAME=FILE` and `FILE` as names and files; one table alone needs no name.

    Raises:
        SettingsError: a name used twice.
    """
    given = list(given)
    files: dict[str, Path] = {}
    for text in given:
        name, sign, path = text.partition("=")
        if not sign or Path(text).exists():
            name, path = (ONE_TABLE if len(given) == 1 else Path(text).name.split(".")[0]), text
        if name in files:
            raise SettingsError(
                f"Two synthetic tables are called {name!r}.", hint="Name them: NAME=FILE."
            )
        files[name] = Path(path)
    return files


def _folder(path: str) -> Path:
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {path}: {error}.") from error
    return folder


def _provenance(options: argparse.Namespace, files: Mapping[str, Path]) -> dict[str, str]:
    real = {f"{role} file": Path(getattr(options, role)).name for role in ("train", "holdout")}
    ours = {
        "synthetic file" if name == ONE_TABLE else f"synthetic file of {name}": path.name
        for name, path in files.items()
    }
    return {**real, **ours}


def _summary(report: Report) -> str:
    lines = []
    for evaluation in report.evaluations:
        lines.append(f"{evaluation.name}: {overall_words(evaluation)}")
        lines += [f"  {h.answer}: {h.words}" for h in evaluation.headlines]
    return "\n".join(lines) + "\n"
