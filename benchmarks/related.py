"""Related tables: this project and SDV's HMA on the same real sets.

    python benchmarks/related.py --data DIR --results FILE --minutes 3 --runs 2

`berka`: a bank's accounts with their owners, loans and orders. `players`: baseball players with
their salaries, year by year. Accounts (players) are cut in two halves, each with all that hangs on
it: systems learn one half and write a set of its size, which is judged against the other. Each run
is a process of its own and one JSON line; a run that is in the file is not repeated. `--table FILE`
prints the results as Markdown.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class SetCase:
    """One set of tables.

    files: the real table of each; columns: those of them that are used, all when absent.
    dates: columns that hold days.
    """

    name: str
    metadata: MetadataSet
    root: str
    files: Mapping[str, str]
    columns: Mapping[str, tuple[str, ...]]
    dates: tuple[str, ...] = ()


BANK = ("account", "client", "disp", "loan", "order")
CASES = (
    SetCase(
        name="berka",
        metadata=MetadataSet(
            tables={n: SetTable(primary_key=f"{n}_id", file=f"{n}.csv") for n in BANK},
            foreign_keys=(
                ForeignKey(table="disp", column="account_id", parent="account"),
                ForeignKey(table="disp", column="client_id", parent="client"),
                ForeignKey(table="loan", column="account_id", parent="account"),
                ForeignKey(table="order", column="account_id", parent="account"),
            ),
        ),
        root="account",
        files={name: f"berka_{name}.csv.gz" for name in BANK},
        columns={},
        dates=("date",),
    ),
    SetCase(
        name="players",
        metadata=MetadataSet(
            tables={
                "player": SetTable(primary_key="playerID", file="player.csv"),
                "salary": SetTable(file="salary.csv", order_by="yearID"),
            },
            foreign_keys=(ForeignKey(table="salary", column="playerID", parent="player"),),
        ),
        root="player",
        files={"player": "lahman_people.csv.gz", "salary": "lahman_salaries.csv.gz"},
        columns={
            "player": (
                "playerID",
                "birthYear",
                "birthCountry",
                "weight",
                "height",
                "bats",
                "throws",
            )
        },
    ),
)


def main() -> None:
    """Run what is planned and not in the results file yet."""
    parser = asking("related", __doc__, SYSTEMS)
    parser.add_argument("--cases", nargs="*", default=[case.name for case in CASES])
    parser.add_argument("--parents", type=int, help="most accounts or players of a half; else all")
    options = parser.parse_args()
    if options.table:
        print(markdown(list(read(options.table))))
        return
    if options.data is None:
        parser.error("--data is needed: the folder of the real tables")
    keys = ("case", "system", "run", "minutes", "parents")
    done = {tuple(record[key] for key in keys) for record in read(options.results)}
    for case in (case for case in CASES if case.name in options.cases):
        halves = cut(case, options.data, options.work / case.name, options.parents)
        for run in range(options.runs):
            for system in options.systems:
                if (case.name, system, run, options.minutes, options.parents) in done:
                    continue
                record = run_once(case, halves, system, run, options)
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")


def cut(case: SetCase, data: Path, work: Path, most: int | None) -> tuple[Path, Path]:
    """Folders of the train half and the holdout half, every parent with all that is its own."""
    tables = {}
    for name, file in case.files.items():
        table = pd.read_csv(data / "relational" / file, **READ_CSV)
        tables[name] = table[list(case.columns.get(name, table.columns))]
    key = case.metadata.tables[case.root].primary_key
    shuffled = np.random.default_rng(0).permutation(tables[case.root][key].to_numpy())
    halves = (work / "train", work / "holdout")
    for folder, half in zip(halves, np.array_split(shuffled, 2), strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in hanging_on(case, tables, half[:most]).items():
            table.to_csv(folder / f"{name}.csv", index=False)
        (folder / "set.json").write_text(case.metadata.to_json(), encoding="utf-8")
    return halves


def hanging_on(
    case: SetCase, tables: Mapping[str, pd.DataFrame], chosen: np.ndarray
) -> dict[str, pd.DataFrame]:
    """The part of a set that belongs to some rows of its root."""
    described = case.metadata
    key_of = {name: described.tables[name].primary_key for name in tables}
    root = tables[case.root]
    part = {case.root: root[root[key_of[case.root]].isin(chosen)]}
    for name in described.order():
        if links := described.links_of(name):
            above = part[links[0].parent][key_of[links[0].parent]]
            part[name] = tables[name][tables[name][links[0].column].isin(above)]
    for name in tables.keys() - part.keys():
        named = pd.concat([part[link.table][link.column] for link in described.children_of(name)])
        part[name] = tables[name][tables[name][key_of[name]].isin(named)]
    return part


def load(case: SetCase, folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of a folder."""
    return {n: pd.read_csv(folder / f"{n}.csv", **READ_CSV) for n in case.metadata.tables}


def run_once(
    case: SetCase,
    halves: tuple[Path, Path],
    system: str,
    run: int,
    options: argparse.Namespace,
) -> dict[str, object]:
    """One fit, one sample, one judgement."""
    folder = options.work / case.name / f"{system}-{run}"
    (folder / "out").mkdir(parents=True, exist_ok=True)
    request = {
        "metadata": str(halves[0] / "set.json"),
        "out": str(folder / "out"),
        "timing": str(folder / "timing.json"),
        "seed": run,
        "max_minutes": options.minutes,
        "dates": list(case.dates),
    }
    load_before = machine.describe()["load"]
    call(system, "run_related.py", request, folder)
    train, holdout = load(case, halves[0]), load(case, halves[1])
    synthetic = load(case, folder / "out")
    found = evaluate_related(case.metadata, train, synthetic, holdout)
    (folder / "judgement.json").write_text(found.to_json(), encoding="utf-8")
    figures = {
        f"{part}/{figure.name}": [figure.value, figure.interval, figure.floor]
        for part, one in found.parts.items()
        for figure in one.figures
    }
    sets = {"train": train, "holdout": holdout, "synthetic": synthetic}
    return {
        "case": case.name,
        "system": system,
        "run": run,
        "minutes": options.minutes,
        "parents": options.parents,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe() | {"load_before": load_before},
        "rows": {name: len(table) for name, table in synthetic.items()},
        "timing": json.loads((folder / "timing.json").read_text(encoding="utf-8")),
        "figures": figures,
        "same_district": {role: same_district(tables) for role, tables in sets.items()}
        if "disp" in train
        else {},
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
    """A table a case."""
    cases = dict.fromkeys(str(record["case"]) for record in records)
    tables = {name: [r for r in records if r["case"] == name] for name in cases}
    return "\n\n".join(f"{name}\n\n{of_case(some)}" for name, some in tables.items())


def of_case(records: list[dict[str, object]]) -> str:
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
    if "same_district.train" in frame.columns:
        district = [short(of["same_district.synthetic"].mean()) for of in runs.values()]
        real = short(frame["same_district.train"].iloc[0])
        lines.append(
            f"| owner | lives in the account's district | {real} | {' | '.join(district)} |"
        )
    for kind, words in (("s", "wall"), ("cpu_s", "processor")):
        times = [f"{of[f'timing.fit_{kind}'].mean():.0f}" for of in runs.values()]
        lines.append(f"| fit | {words} seconds | | {' | '.join(times)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
