"""Related tables: this project and SDV's HMA on the Berka bank's accounts and what hangs on them.

    python benchmarks/related.py --data DIR --results FILE --minutes 3 --runs 2

Accounts are cut in two halves, each with its owners, loans and orders: systems learn one half and
write a set of its size, which is judged against the other. Each run is a process of its own and one
JSON line; a run that is in the file is not repeated. `--table FILE` prints the results as Markdown.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import machine
import numpy as np
import pandas as pd
from groups import READ_CSV, asking, call, first, short
from ledger import read
from llmsynth_eval.related import evaluate_related

from llmsynth.schema.metadata_set import ForeignKey, MetadataSet, SetTable

SYSTEMS = ("sdv", "llmsynth")
SET = MetadataSet(
    tables={
        name: SetTable(primary_key=f"{name}_id", file=f"{name}.csv")
        for name in ("account", "client", "disp", "loan", "order")
    },
    foreign_keys=(
        ForeignKey(table="disp", column="account_id", parent="account"),
        ForeignKey(table="disp", column="client_id", parent="client"),
        ForeignKey(table="loan", column="account_id", parent="account"),
        ForeignKey(table="order", column="account_id", parent="account"),
    ),
)
DATES = ["date"]


def main() -> None:
    """Run what is planned and not in the results file yet."""
    parser = asking("related", __doc__, SYSTEMS)
    parser.add_argument("--accounts", type=int, help="most accounts of a half; all when omitted")
    options = parser.parse_args()
    if options.table:
        print(markdown(list(read(options.table))))
        return
    if options.data is None:
        parser.error("--data is needed: the folder of the real tables")
    halves = cut(options.data, options.work, options.accounts)
    done = {(r["system"], r["run"], r["minutes"], r["accounts"]) for r in read(options.results)}
    for run in range(options.runs):
        for system in options.systems:
            if (system, run, options.minutes, options.accounts) not in done:
                record = run_once(halves, system, run, options)
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")


def cut(data: Path, work: Path, most: int | None) -> tuple[Path, Path]:
    """Folders of the train half and the holdout half, every account with all that is its own."""
    tables = {
        name: pd.read_csv(data / "relational" / f"berka_{name}.csv.gz", **READ_CSV)
        for name in SET.tables
    }
    accounts = tables["account"]["account_id"].to_numpy()
    shuffled = np.random.default_rng(0).permutation(accounts)
    halves = (work / "train", work / "holdout")
    for folder, half in zip(halves, np.array_split(shuffled, 2), strict=True):
        chosen = half[:most]
        folder.mkdir(parents=True, exist_ok=True)
        part = {n: t[t["account_id"].isin(chosen)] for n, t in tables.items() if n != "client"}
        clients = tables["client"]
        part["client"] = clients[clients["client_id"].isin(part["disp"]["client_id"])]
        for name, table in part.items():
            table.to_csv(folder / f"{name}.csv", index=False)
        (folder / "set.json").write_text(SET.to_json(), encoding="utf-8")
    return halves


def load(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of a folder."""
    return {name: pd.read_csv(folder / f"{name}.csv", **READ_CSV) for name in SET.tables}


def run_once(
    halves: tuple[Path, Path], system: str, run: int, options: argparse.Namespace
) -> dict[str, object]:
    """One fit, one sample, one judgement."""
    folder = options.work / f"{system}-{run}"
    (folder / "out").mkdir(parents=True, exist_ok=True)
    request = {
        "metadata": str(halves[0] / "set.json"),
        "out": str(folder / "out"),
        "timing": str(folder / "timing.json"),
        "seed": run,
        "max_minutes": options.minutes,
        "dates": DATES,
    }
    load_before = machine.describe()["load"]
    call(system, "run_related.py", request, folder)
    train, holdout, synthetic = load(halves[0]), load(halves[1]), load(folder / "out")
    found = evaluate_related(SET, train, synthetic, holdout)
    (folder / "judgement.json").write_text(found.to_json(), encoding="utf-8")
    figures = {
        f"{part}/{figure.name}": [figure.value, figure.interval, figure.floor]
        for part, one in found.parts.items()
        for figure in one.figures
    }
    return {
        "system": system,
        "run": run,
        "minutes": options.minutes,
        "accounts": options.accounts,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe() | {"load_before": load_before},
        "rows": {name: len(table) for name, table in synthetic.items()},
        "timing": json.loads((folder / "timing.json").read_text(encoding="utf-8")),
        "figures": figures,
        "same_district": {
            "train": same_district(train),
            "holdout": same_district(holdout),
            "synthetic": same_district(synthetic),
        },
    }


def same_district(tables: dict[str, pd.DataFrame]) -> float:
    """Share of owners who live in their account's district: two tables that only `disp` joins."""
    both = (
        tables["disp"][tables["disp"]["type"] == "OWNER"]
        .merge(tables["client"], on="client_id")
        .merge(tables["account"], on="account_id", suffixes=("_client", "_account"))
    )
    return float((both["district_id_client"] == both["district_id_account"]).mean())


def markdown(records: list[dict[str, object]]) -> str:
    """A line a figure, a column a system: means over runs, beside the real-real floor."""
    frame = pd.json_normalize(records)
    names = [n.removeprefix("figures.") for n in frame.columns if n.startswith("figures.")]
    systems = list(dict.fromkeys(frame["system"]))
    runs = {system: frame[frame["system"] == system] for system in systems}
    heads = [f"{system}, {len(of)} runs" for system, of in runs.items()]
    lines = [
        f"| | figure | real sets (the floor) | {' | '.join(heads)} |",
        "|" + "---|" * (3 + len(systems)),
    ]
    for name in names:
        part, _, figure = name.partition("/")
        floor = short(frame[f"figures.{name}"].iloc[0][2])
        cells = [short(of[f"figures.{name}"].map(first).mean()) for of in runs.values()]
        lines.append(f"| {part} | {figure} | {floor} | {' | '.join(cells)} |")
    district = [short(of["same_district.synthetic"].mean()) for of in runs.values()]
    real = short(frame["same_district.train"].iloc[0])
    lines.append(f"| owner | lives in the account's district | {real} | {' | '.join(district)} |")
    for kind, words in (("s", "wall"), ("cpu_s", "processor")):
        times = [f"{of[f'timing.fit_{kind}'].mean():.0f}" for of in runs.values()]
        lines.append(f"| fit | {words} seconds | | {' | '.join(times)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
