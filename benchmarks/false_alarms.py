"""How often headlines alarm on real rows: random splits of Adult in the synthetic table's place.

    python benchmarks/false_alarms.py --splits 40 --results false_alarms.jsonl

Each split cuts fresh rows into train, holdout and the table to be judged, with a key of its own for
every row. The metrics of a full evaluation that raise headlines run, all others are left out: they
cannot alarm. One JSON line per finished split, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from time import process_time

import pandas as pd
from llmsynth_eval.entrance import Entrance, Question
from llmsynth_eval.fidelity import ColumnDistances, Coverage, MissingRates, Pairs
from llmsynth_eval.headline import Headline
from llmsynth_eval.privacy import CopyTest, Identifiers, NearCopies
from llmsynth_eval.privacy.closeness import Closeness
from llmsynth_eval.suite import metrics_of
from llmsynth_eval.utility import TargetRelation
from machine import describe

from llmsynth import demo_tables

TARGET = "income"
ALARMING = (
    *(ColumnDistances, Coverage, MissingRates, Pairs),
    *(TargetRelation, CopyTest, NearCopies, Closeness, Identifiers),
)


def main() -> None:
    """Judge the splits that are not in the results yet; print alarms per headline."""
    options = _options()
    done = _read(options.results)
    table = demo_tables.load("adult").to_pandas().drop_duplicates().reset_index(drop=True)
    table.insert(0, "key", [f"P{row * 7919 % 1_000_003:06d}" for row in range(len(table))])
    for seed in range(len(done), options.splits):
        start = process_time()
        headlines = judged(table, rows=options.rows, seed=seed)
        record = {
            "split": seed,
            "rows": options.rows,
            "cpu_seconds": round(process_time() - start, 1),
            "alarms": [h.name for h in headlines if h.answer == "alarm"],
            "answered": [h.name for h in headlines if h.answer != "not measured"],
            "p_values": {h.name: h.p_value for h in headlines},
            "machine": describe(),
        }
        done.append(record)
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    answered = Counter(name for record in done for name in record["answered"])
    alarms = Counter(name for record in done for name in record["alarms"])
    print("| headline | splits | alarms |\n|---|---|---|")
    for name, count in sorted(answered.items()):
        print(f"| `{name}` | {count} | {alarms[name]} |")


def judged(table: pd.DataFrame, *, rows: int, seed: int) -> list[Headline]:
    """The headlines of one split: three tables of `rows` rows, none in two of them."""
    drawn = table.sample(3 * rows, random_state=seed).reset_index(drop=True)
    parts = [drawn[n * rows : (n + 1) * rows].reset_index(drop=True) for n in range(3)]
    entrance = Entrance(parts[0], parts[1], Question(target=TARGET, seed=seed))
    entered = entrance.enter(parts[2], name="synthetic")
    return [
        headline
        for metrics in metrics_of(entered).values()
        for metric in metrics
        if isinstance(metric, ALARMING)
        for headline in metric.compute(entered.comparison).headlines
    ]


def _read(file: Path) -> list[dict[str, list[str]]]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--rows", type=int, default=2_000, help="of each of the three tables")
    parser.add_argument("--results", type=Path, default=Path("false_alarms.jsonl"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
