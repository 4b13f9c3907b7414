"""Ten rows of Adult and a schema: 200 rows from a prompted model, beside two simple ways.

    llmsynth models pull smollm2-135m
    python benchmarks/few_shot.py --results few_shot.jsonl [--seeds 3] [--rows 200]
    python benchmarks/few_shot.py --results few_shot.jsonl --table

Arms: `bootstrap` repeats the ten rows, `independent` draws each column apart from the others by the
marginal that the ten rows tell, `few_shot` asks the model (one column of each prompt drawn like
`independent` does), `few_shot_alone` asks it for everything but the class, `zero_shot` shows it no
row. The class share is declared, the same for all. Figures are `llmsynth_eval.judge`'s against
5,000 other real rows; the floor is 200 real rows in their place. One JSON line a run; a stopped run
goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import machine
import numpy as np
import pyarrow as pa
import torch
from ledger import read
from llmsynth_eval import judge
from scipy.stats import binom

from llmsynth import PromptedSynthesizer, PromptSettings, TableSchema, demo_tables, infer_schema
from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import InputError
from llmsynth.prompting.shares import cells_like, cells_of_shares
from llmsynth.tables import conform

TARGET, SHARE = "income", {">50K": 0.24}
EXAMPLES, HELD_OUT = 10, 5000
INSTRUCTION = "People of the 1994 census of the United States, one row a person."
DESCRIPTIONS = {
    "age": "age in years",
    "workclass": "kind of employer",
    "fnlwgt": "how many people the row stands for",
    "education": "highest degree or grade",
    "education_num": "the same as a number of years",
    "hours_per_week": "hours worked in a usual week",
    "capital_gain": "gains of the year in dollars, most often 0",
    "capital_loss": "losses of the year in dollars, most often 0",
    "income": "income of the year in dollars",
}
FIGURES = ("shape", "trend", "c2st", "tstr_auc")


def main() -> None:
    """Run what is missing of the results, or print them as a table."""
    options = _options()
    torch.set_num_threads(options.threads)
    if options.table:
        print(markdown(list(read(options.results))))
        return
    done = {(line["arm"], line["seed"], line["rows_asked"]) for line in read(options.results)}
    for seed in range(options.seeds):
        for arm in options.arms:
            if (arm, seed, options.rows) not in done:
                line = json.dumps(run(arm, seed, options), ensure_ascii=False)
                print(line, flush=True)
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")


def run(arm: str, seed: int, options: argparse.Namespace) -> dict[str, object]:
    """One arm on one choice of ten rows, and its figures."""
    table, schema = real_rows()
    order = np.random.default_rng(seed).permutation(table.num_rows)
    cuts = np.cumsum([EXAMPLES, options.rows, HELD_OUT])
    examples, others, held_out = (
        table.take(pa.array(part)) for part in np.split(order[: cuts[-1]], cuts[:-1])
    )
    started = time.perf_counter(), time.process_time()
    rows, account = ARMS[arm](examples, schema, options, seed)
    seconds = time.perf_counter() - started[0], time.process_time() - started[1]
    # Likeness against many real rows, with 200 real ones as the floor; learning from 200 of each.
    like = judge(held_out, synthetic=rows, holdout=others, schema=schema, seed=seed)
    learned = judge(others, rows, held_out, target=TARGET, schema=schema, seed=seed, floor=False)
    values = {**like.values, "tstr_auc": learned.values["tstr_auc"]}
    floors = {**like.floors, "tstr_auc": learned.values["trtr_auc"]}
    return {
        "date": date.today().isoformat(),
        **machine.describe(),
        "arm": arm,
        "seed": seed,
        "rows_asked": options.rows,
        "model": options.model,
        "temperature": options.temperature,
        "rows_per_prompt": options.rows_per_prompt,
        "seconds": round(seconds[0], 1),
        "cpu_seconds": round(seconds[1], 1),
        **checks(rows, examples, schema, options.rows),
        "figures": {name: values[name] for name in FIGURES},
        "floors": {name: floors[name] for name in FIGURES},
        "account": account,
    }


def real_rows() -> tuple[pa.Table, TableSchema]:
    """The different rows of Adult in their types, and their schema with descriptions."""
    table = demo_tables.load("adult")
    table = table.group_by(table.column_names, use_threads=False).aggregate([])
    schema = infer_schema(table, target=TARGET)
    columns = (replace(c, description=DESCRIPTIONS.get(c.name, "")) for c in schema.columns)
    schema = replace(schema, columns=tuple(columns))
    return conform(table, schema), schema


def checks(
    rows: pa.Table, examples: pa.Table, schema: TableSchema, asked: int
) -> dict[str, object]:
    """Validity, copies and the class share, each counted anew on the finished rows."""
    language = RowLanguage(schema)
    known = {tuple(row.values()) for row in examples.to_pylist()}
    found = [tuple(row.values()) for row in rows.to_pylist()]
    positive = rows[TARGET].to_pylist().count(">50K")
    low, high = binom.interval(0.95, rows.num_rows, SHARE[">50K"])
    return {
        "rows": rows.num_rows,
        "valid": sum(_is_valid(language, row) for row in rows.to_pylist()) / asked,
        "verbatim_copies": sum(row in known for row in found),
        "duplicates": len(found) - len(set(found)),
        "positives": positive,
        "positives_interval": [int(low), int(high)],
        "share_is_met": bool(low <= positive <= high),
    }


def _is_valid(language: RowLanguage, row: dict[str, object]) -> bool:
    try:
        return language.parse(language.serialize(row)) == row
    except InputError:
        return False


Drawn = tuple[pa.Table, dict[str, object]]


def bootstrap(
    examples: pa.Table, schema: TableSchema, options: argparse.Namespace, seed: int
) -> Drawn:
    """The ten rows again and again, classes in the declared share where both are there."""
    generator = np.random.default_rng(seed)
    wanted = _classes(examples, schema, options.rows, generator)
    own = examples[TARGET].to_pylist()
    places = []
    for cell in wanted.to_pylist():
        those = [at for at, has in enumerate(own) if has == cell] or list(range(len(own)))
        places.append(int(generator.choice(those)))
    return examples.take(pa.array(places)), {}


def independent(
    examples: pa.Table, schema: TableSchema, options: argparse.Namespace, seed: int
) -> Drawn:
    """Each column by the marginal that the ten rows tell, the class by its declared share."""
    generator = np.random.default_rng(seed)
    columns = {}
    for column in schema.columns:
        cells = examples[column.name].combine_chunks()
        if column.name == TARGET:
            columns[TARGET] = _classes(examples, schema, options.rows, generator)
        else:
            columns[column.name] = cells_like(column, cells, options.rows, generator)
    return pa.table(columns), {}


def _classes(
    examples: pa.Table, schema: TableSchema, n: int, generator: np.random.Generator
) -> pa.Array:
    cells = examples[TARGET].combine_chunks()
    return cells_of_shares(schema.column(TARGET), SHARE, cells, n, generator)


def prompted(anchors: int, *, shows_rows: bool = True) -> Callable[..., Drawn]:
    """An arm that asks the model."""

    def drawn(
        examples: pa.Table, schema: TableSchema, options: argparse.Namespace, seed: int
    ) -> Drawn:
        synthesizer = PromptedSynthesizer(
            schema=schema,
            examples=examples if shows_rows else None,
            instruction=INSTRUCTION,
            model=options.model,
            target=TARGET,
            settings=PromptSettings(rows_per_prompt=options.rows_per_prompt, anchors=anchors),
        )
        sample = synthesizer.sample(
            options.rows, quotas={TARGET: SHARE}, temperature=options.temperature, seed=seed
        )
        return sample.table, asdict(sample.report)

    return drawn


ARMS: dict[str, Callable[..., Drawn]] = {
    "bootstrap": bootstrap,
    "independent": independent,
    "few_shot": prompted(1),
    "few_shot_alone": prompted(0),
    "zero_shot": prompted(0, shows_rows=False),
}


def markdown(lines: list[dict[str, object]]) -> str:
    """Arms in rows, means over the seeds with their range."""
    out = [
        "| arm | runs | valid | copies | share met | " + " | ".join(FIGURES) + " | processor s |"
    ]
    out.append("|---" * (6 + len(FIGURES)) + "|")
    floors = [line["floors"] for line in lines]
    shown = " | ".join(_spread([floor.get(name) for floor in floors]) for name in FIGURES)  # type: ignore[attr-defined]
    out.append(f"| as many real rows (the floor) | | | | | {shown} | |")
    for arm in ARMS:
        own = [line for line in lines if line["arm"] == arm]
        if not own:
            continue
        cells = [arm, str(len(own)), _spread([line["valid"] for line in own])]
        cells.append(str(sum(int(str(line["verbatim_copies"])) for line in own)))
        cells.append(f"{sum(bool(line['share_is_met']) for line in own)} of {len(own)}")
        cells += [_spread([line["figures"].get(name) for line in own]) for name in FIGURES]  # type: ignore[attr-defined]
        cells.append(_spread([line["cpu_seconds"] for line in own], digits=0))
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def _spread(values: list[object], digits: int = 3) -> str:
    known = [float(str(value)) for value in values if value is not None]
    if not known:
        return "-"
    mean, low, high = np.mean(known), min(known), max(known)
    if f"{low:.{digits}f}" == f"{high:.{digits}f}":
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; goes on there")
    parser.add_argument("--table", action="store_true", help="print the results as Markdown")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--rows-per-prompt", type=int, default=PromptSettings.rows_per_prompt)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
