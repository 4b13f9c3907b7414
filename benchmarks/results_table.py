"""Turns a results file into Markdown: for each table, medians with ranges over the runs.

python benchmarks/results_table.py results.jsonl > table.md
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from ledger import read

Record = Mapping[str, object]
ARROWS = {"lower": "↓", "higher": "↑", "half": "→ .5", "reference": ""}
DASH = "-"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--figures", nargs="+", metavar="NAME", help="only these, in this order")
    options = parser.parse_args(arguments)
    print(to_markdown(list(read(options.results)), names=options.figures), end="")


def to_markdown(records: Sequence[Record], *, names: Sequence[str] | None = None) -> str:
    """One section per table in order of appearance, and the machine and versions above them."""
    done = [record for record in records if "error" not in record]
    tables = dict.fromkeys(str(record["table"]) for record in done)
    parts = ["\n".join(_conditions(done))]
    for table in tables:
        mine = [record for record in done if record["table"] == table]
        parts.append(f"### {table}\n\n{_section(mine, names)}")
    failed = [record for record in records if "error" in record]
    if failed:
        parts.append("Failed runs: " + ", ".join(f"{_label(r)} on {r['table']}" for r in failed))
    return "\n\n".join(parts) + "\n"


def _conditions(done: Sequence[Record]) -> list[str]:
    days = sorted(str(record["date"])[:10] for record in done)
    loads = [_number(record["load"]) for record in done]
    machines = sorted({f"{record['cpu']}, {record['cores']} cores" for record in done})
    versions = sorted({str(record["version"]) for record in done if "version" in record})
    if not done:
        return ["No finished run."]
    return [
        f"Measured {days[0]} to {days[-1]} on {'; '.join(machines)}; "
        f"load average before a run {min(loads):.1f} to {max(loads):.1f}. {', '.join(versions)}.",
        "",
        "Median of the runs (lowest to highest). The floor is the same figure with real holdout "
        "rows in the synthetic table's place.",
    ]


def _section(records: Sequence[Record], names: Sequence[str] | None) -> str:
    figures = _figure_heads(records, names)
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[_label(record)].append(record)
    heads = ["system", "runs", "fit s", "rows/s", *figures.values()]
    lines = [_row(heads), _row(["---"] * len(heads))]
    floors = [_spread(_values(records, name, "floor"), _four) for name in figures]
    lines.append(_row(["*floor (real rows)*", "", "", "", *floors]))
    for label, group in groups.items():
        speed = [
            _number(r["rows"]) / _number(r["sample_s"]) for r in group if _number(r.get("sample_s"))
        ]
        fit = [_number(record["fit_s"]) for record in group if "fit_s" in record]
        cells = [_spread(_values(group, name, "value"), _four) for name in figures]
        lines.append(
            _row([label, str(len(group)), _spread(fit, _whole), _spread(speed, _whole), *cells])
        )
    rows = sorted({str(record["train_rows"]) for record in records})
    return "\n".join(lines) + f"\n\n{', '.join(rows)} rows to learn from, as many drawn."


def _label(record: Record) -> str:
    """The system, with the settings that were asked for where there were any."""
    asked = record["asked"]
    assert isinstance(asked, Mapping)
    words = ", ".join(f"{value:g} {name}" for name, value in asked.items())
    return f"{record['system']} ({words})" if words else str(record["system"])


def _figure_heads(records: Sequence[Record], names: Sequence[str] | None) -> dict[str, str]:
    heads: dict[str, str] = {}
    for record in records:
        for name, figure in _figures(record).items():
            heads.setdefault(name, f"{figure['title']} {ARROWS[str(figure['goal'])]}".strip())
    return heads if names is None else {name: heads[name] for name in names if name in heads}


def _figures(record: Record) -> Mapping[str, Mapping[str, object]]:
    figures = record["figures"]
    assert isinstance(figures, Mapping)
    return figures


def _values(records: Iterable[Record], name: str, part: str) -> list[float]:
    """One part of one figure over the runs; the identity arm has a floor of its own and no say."""
    found = []
    for record in records:
        if part == "floor" and record["system"] == "identity":
            continue
        value = _figures(record).get(name, {}).get(part)
        if value is not None:
            found.append(_number(value))
    return found


def _spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    if not values:
        return DASH
    low, high = show(min(values)), show(max(values))
    middle = show(median(values))
    return middle if low == high else f"{middle} ({low} to {high})"


def _four(value: float) -> str:
    return f"{value:.4f}"


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
