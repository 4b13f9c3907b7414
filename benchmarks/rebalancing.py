"""Do synthetic rows of a rare class help, beside every simpler way, where few rows of it are left?

    python benchmarks/rebalancing.py --data DIR --results rebalancing.jsonl
    python benchmarks/rebalancing.py --results rebalancing.jsonl --table

Each table is cut in a train and a test half; the test half keeps its class shares, the train half
loses rows of the rare class until 20, 50 or 100 are left. Generators see the train half. Every way
is taught with several seeds and asked the test half (`llmsynth_eval.utility.augmentation_benefit`):
AUPRC with a paired bootstrap. `--systems redraw` are rows that llmsynth draws out of real ones
(`method="redraw"`); `ctgan` needs `--sdv`, the interpreter of the SDV peer's environment.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from ledger import read
from llmsynth_eval.utility import Augmentation, augmentation_benefit
from machine import describe

from llmsynth import Synthesizer, rebalance
from llmsynth.tables import to_pandas
from llmsynth.uses.rebalancing import RebalanceSettings

COUNTS = (20, 50, 100)
MOST_OTHERS = 2_000
MOST_TEST = 4_000
AMOUNTS: tuple[float | str, ...] = (1.0, 5.0, "balance")
SDV_SECONDS = 1_200
NAMES = {"ours": "llmsynth", "redraw": "llmsynth, out of real rows", "ctgan": "CTGAN (SDV)"}


@dataclass(frozen=True, kw_only=True)
class Rare:
    """A table and its rare class."""

    name: str
    target: str
    value: str
    missing: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    """Columns without one value, which say nothing."""


TABLES = (
    Rare(name="sick_thyroid", target="Class", value="sick", missing=("?",), empty=("TBG",)),
    Rare(name="creditcard_ulb_undersampled", target="Class", value="1"),
    Rare(name="bank_marketing", target="y", value="yes"),
)


def main() -> None:
    """Run what the results file lacks, or print it as a table."""
    options = _options()
    if options.table:
        print(table(options.results))
        return
    done = {(line["table"], line["count"], line["system"]) for line in read(options.results)}
    for rare in [rare for rare in TABLES if rare.name in options.tables]:
        for count in options.counts:
            for system in options.systems:
                if (rare.name, count, system) in done:
                    continue
                line = run(rare, count, system, options)
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                print(rare.name, count, system, line["words"], flush=True)


def run(rare: Rare, count: int, system: str, options: argparse.Namespace) -> dict[str, object]:
    """One generator on one cut of one table."""
    train, test = cut(rare, count, options.data, seed=options.seed)
    num_rows = len(train) - 2 * count
    started = time.process_time()
    if system == "ctgan":
        made, told = ctgan(rare, train, num_rows, options)
    else:
        made, told = ours(rare, train, num_rows, system, options)
    found = augmentation_benefit(
        train,
        test,
        made,
        target=rare.target,
        minority=rare.value,
        amounts=AMOUNTS,  # type: ignore[arg-type]
        learners=("boosting", "linear"),
        num_seeds=options.seeds,
        seed=options.seed,
    )
    return {
        "table": rare.name,
        "count": count,
        "system": system,
        "train_rows": len(train),
        "test_rows": len(test),
        "test_rare": found.num_test_rare,
        **told,
        "cpu_seconds": round(time.process_time() - started, 1),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe(),
        **_figures(found),
    }


def cut(rare: Rare, count: int, data: Path, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train with `count` rows of the rare class, and an untouched test table."""
    whole = pd.read_csv(
        data / f"{rare.name}.csv.gz",
        keep_default_na=False,
        na_values=["", *rare.missing],
        dtype={rare.target: str},
    )
    whole = whole.drop(columns=list(rare.empty)).drop_duplicates()
    whole = whole.sample(frac=1, random_state=seed).reset_index(drop=True)
    is_rare = whole[rare.target] == rare.value
    half = np.zeros(len(whole), dtype=bool)
    for rows in (np.flatnonzero(is_rare), np.flatnonzero(~is_rare)):
        half[rows[: len(rows) // 2]] = True
    learned, test = whole[half], whole[~half].head(MOST_TEST)
    is_rare = learned[rare.target] == rare.value
    train = pd.concat([learned[is_rare].head(count), learned[~is_rare].head(MOST_OTHERS)])
    train = train.sample(frac=1, random_state=seed)
    return train.reset_index(drop=True), test.reset_index(drop=True)


def ours(
    rare: Rare, train: pd.DataFrame, num_rows: int, system: str, options: argparse.Namespace
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Rows of the rare class by llmsynth with its default settings, or out of real rows."""
    started = time.perf_counter()
    # The share that `num_rows` more rows of the class make; the verdict is asked for elsewhere.
    share = (num_rows + (train[rare.target] == rare.value).sum()) / (len(train) + num_rows)
    found = rebalance(
        train,
        {rare.target: {rare.value: float(share)}},
        synthesizer=Synthesizer(target=rare.target, seed=options.seed, personal_data="keep"),
        settings=RebalanceSettings(
            method="redraw" if system == "redraw" else "whole", test_share=0, seed=options.seed
        ),
    )
    (account,) = found.groups
    made = to_pandas(found.synthetic, found.schema).astype({rare.target: str})
    return made, {
        "seconds": {"fit": found.synthesizer.fit_seconds_, "all": time.perf_counter() - started},
        "redrawn": account.redrawn,
        "kept_cells": account.kept_cells,
        "copies_left_out": account.copies,
    }


def ctgan(
    rare: Rare, train: pd.DataFrame, num_rows: int, options: argparse.Namespace
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Rows of the rare class by SDV's CTGAN, conditioned on it."""
    script = Path(__file__).parent / "peers" / "sdv" / "rare.py"
    with TemporaryDirectory() as folder:
        source, out = Path(folder) / "train.csv", Path(folder) / "rare.csv"
        train.to_csv(source, index=False)
        asked = {"train": source, "out": out, "target": rare.target, "value": rare.value}
        given = [f"--{name}={value}" for name, value in {**asked, "rows": num_rows}.items()]
        told = subprocess.run(
            [options.sdv, script, *given],
            check=True,
            capture_output=True,
            text=True,
            timeout=SDV_SECONDS,
            env={"PYTHONPATH": str(script.parents[1] / "contract"), "OMP_NUM_THREADS": "1"},
        )
        made = pd.read_csv(out, keep_default_na=False, na_values=[""], dtype={rare.target: str})
    seconds = json.loads(told.stdout.strip().splitlines()[-1])
    return made[list(train.columns)], {"seconds": seconds}


def _figures(found: Augmentation) -> dict[str, object]:
    return {
        "verdict": found.verdict,
        "words": found.words,
        "arms": [
            {
                "learner": row.learner,
                "kind": row.arm.kind,
                "added": row.arm.num_added,
                "auprc": row.auprc,
                "interval": row.auprc_interval,
                "difference": row.difference,
                "difference_interval": row.difference_interval,
                "recall": row.recall,
                "f1": row.f1,
                "brier": row.brier,
            }
            for row in found.rows
        ],
        "copy_share": found.rare_rows.copy_share,
        "unique_share": found.rare_rows.unique_share,
        "distance": [found.rare_rows.distance, found.rare_rows.train_distance],
        "consistency": [found.rare_rows.consistency, found.rare_rows.train_consistency],
        "notes": found.notes,
    }


def table(results: Path) -> str:
    """The results as Markdown: AUPRC of boosted trees, and what they gain over doing nothing."""
    lines = list(read(results))
    parts = []
    for rare in TABLES:
        own = [line for line in lines if line["table"] == rare.name]
        counts = sorted({int(str(line["count"])) for line in own})
        if not own:
            continue
        heads = " | ".join(f"{count} rows" for count in counts)
        rows = "\n".join(_rows(own, counts))
        parts.append(
            f"| {rare.name} ({rare.value}), boosted trees | {heads} |\n"
            f"|---|{'---|' * len(counts)}\n{rows}\n"
        )
    return "\n".join(parts)


def _rows(lines: list[dict[str, object]], counts: list[int]) -> Iterator[str]:
    cells: dict[str, dict[int, str]] = {}
    for line in lines:
        arms = [arm for arm in _arms(line) if arm["learner"] == "boosting"]
        for number, arm in enumerate(arms):
            is_made = arm["kind"] == "synthetic rows"
            later = [other["added"] for other in arms if other["kind"] == arm["kind"]]
            amount = f", {_amount(later.index(arm['added']), len(later))}" if arm["added"] else ""
            name = NAMES[str(line["system"])]
            title = f"{name if is_made else arm['kind']}{amount}"
            low, high = arm["difference_interval"]  # type: ignore[misc]
            text = f"{arm['auprc']:.3f}"
            if number:
                text += f" ({arm['difference']:+.3f}, {low:+.3f} to {high:+.3f})"
            cells.setdefault(title, {})[int(str(line["count"]))] = text
    for title, found in cells.items():
        yield f"| {title} | {' | '.join(found.get(count, '-') for count in counts)} |"
    for system in NAMES:
        verdicts = {int(str(li["count"])): li for li in lines if li["system"] == system}
        if verdicts:
            texts = [str(verdicts[c]["verdict"]) if c in verdicts else "-" for c in counts]
            yield f"| verdict on {NAMES[system]} | {' | '.join(texts)} |"


def _arms(line: dict[str, object]) -> list[dict[str, object]]:
    found = line["arms"]
    assert isinstance(found, list)
    return found


def _amount(place: int, places: int) -> str:
    names = ("1x", "5x", "to balance")
    return names[place] if places == len(names) else "to balance"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--results", type=Path, required=True)
    names = [rare.name for rare in TABLES]
    parser.add_argument("--tables", nargs="+", choices=names, default=names)
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS)
    parser.add_argument("--systems", nargs="+", choices=list(NAMES), default=["ours"])
    parser.add_argument("--sdv", type=Path, help="python of the SDV peer's environment")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="print the results as Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    main()
