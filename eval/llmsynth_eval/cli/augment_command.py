"""`augment`: real train and test files and synthetic rows of a rare class in, the verdict out."""

from __future__ import annotations

import argparse

from llmsynth.errors import SettingsError
from llmsynth.schema.table_schema import TableSchema
from llmsynth_eval.cli.table_files import read_table, write_text
from llmsynth_eval.details import Cell, DetailTable
from llmsynth_eval.pages.augmentation_page import augmentation_page
from llmsynth_eval.text_table import aligned, number_text
from llmsynth_eval.utility.augmentation import AMOUNTS, NUM_SEEDS, Amount, augmentation_benefit
from llmsynth_eval.utility.learners import TITLES


def add_augment(parser: argparse.ArgumentParser) -> None:
    """Describe the options of `augment`."""
    for role, words in (
        ("train", "real rows, split off before anything was fitted"),
        ("test", "real rows at the class shares of life; neither learned nor added to"),
        ("synthetic", "rows of the rare class to add to train"),
    ):
        parser.add_argument(f"--{role}", required=True, metavar="FILE", help=words)
    parser.add_argument("--target", required=True, metavar="COLUMN", help="column of the class")
    parser.add_argument("--rare-class", metavar="CLASS", help="default: the rarest of train")
    parser.add_argument(
        "--amount",
        action="append",
        metavar="TIMES",
        help="rows to add, in multiples of the class's train rows, or `balance`; repeatable",
    )
    parser.add_argument(
        "--learner",
        action="append",
        choices=tuple(TITLES),
        help="may be given often, the first one decides (default: boosting, linear)",
    )
    parser.add_argument("--seeds", type=int, default=NUM_SEEDS, help="default: %(default)s")
    parser.add_argument("--schema", metavar="FILE", help="schema.json that names the kinds")
    parser.add_argument("--numeric", nargs="+", metavar="COLUMN", help="the numeric columns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", metavar="FILE", help="write a page (HTML)")
    parser.add_argument("--json", metavar="FILE", help="write everything as JSON")
    parser.add_argument("--title", help="title of the page")
    parser.set_defaults(run=run_augment)


def run_augment(options: argparse.Namespace) -> int:
    """Compare, print, write; 0 whatever the verdict is.

    Raises:
        SettingsError: an amount that is none.
    """
    found = augmentation_benefit(
        read_table(options.train),
        read_table(options.test),
        read_table(options.synthetic),
        target=options.target,
        minority=options.rare_class,
        amounts=[_amount(text) for text in options.amount or map(str, AMOUNTS)],
        learners=options.learner or ("boosting", "linear"),
        num_seeds=options.seeds,
        numeric=options.numeric,
        schema=TableSchema.read(options.schema) if options.schema else None,
        seed=options.seed,
    )
    print(f"{found.words}\n")
    for table in (found.table(), found.rare_rows.table(found.minority)):
        print(_text(table))
    for note in found.notes:
        print(f"Note: {note}")
    if options.json:
        write_text(found.to_json(), options.json, what="comparison")
    if options.out:
        title = options.title or f"Do synthetic rows of {found.minority} help?"
        write_text(augmentation_page(found, title=title), options.out, what="page")
    return 0


def _amount(text: str) -> Amount:
    if text == "balance":
        return "balance"
    try:
        return float(text)
    except ValueError as error:
        raise SettingsError(f"--amount must be a number or `balance`, got {text!r}.") from error


def _text(table: DetailTable) -> str:
    rows = [table.columns, *([_cell(cell) for cell in row] for row in table.rows)]
    return f"{table.title}\n{aligned(rows)}\n"


def _cell(cell: Cell) -> str:
    return cell if isinstance(cell, str) else number_text(cell)
