"""Differential privacy: this project, AIM and TabularARGN at the same epsilon on the same halves.

    python benchmarks/private.py --data DIR --results FILE

Arms of `tabular.py`, a system and an epsilon each: `ours+4`, `dpmm+aim-4`, `tabularargn+4`. Delta
is 1e-5 for all. `ours` and `dpmm` are given the table's declared values (`public_schemas/`);
TabularARGN cannot be and releases its own. `--plot FILE` draws TSTR against epsilon.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import tabular

TABLES = ("adult", "bank_marketing")
EPSILONS = (1, 4, 8)
ARMS = {"ours": "ours+{}", "AIM": "dpmm+aim-{}", "TabularARGN": "tabularargn+{}"}
TSTR = "tstr_auc"
FREE = ("ours", "tabularargn")
"""Arms without differential privacy, beside which the others stand."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not in the results file yet, then print the table, and draw the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    parser.add_argument("--epsilons", nargs="+", type=int, default=list(EPSILONS))
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--max-rows", type=int, default=8_000, help="most rows of the train half")
    parser.add_argument("--free", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work" / "private")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(arguments)
    systems = [ARMS[arm].format(epsilon) for epsilon in options.epsilons for arm in options.arms]
    systems += FREE if options.free else ()
    given = ["--results", str(options.results), "--threads", "1", "--runs", str(options.runs)]
    given += ["--max-rows", str(options.max_rows), "--work", str(options.work)]
    given += ["--data", str(options.data)] if options.data else []
    tabular.main([*given, "--tables", *options.tables, "--systems", *systems])
    print("\n".join(summary(options.results)))
    if options.plot:
        options.plot.write_text(plot(options.results), encoding="utf-8")


def records(results: Path) -> list[dict[str, object]]:
    """Finished runs of a results file."""
    lines = results.read_text(encoding="utf-8").splitlines()
    return [r for r in map(json.loads, lines) if "error" not in r]


def summary(results: Path) -> list[str]:
    """Markdown: medians over the runs of each arm."""
    groups: dict[tuple[str, str], list[dict[str, object]]] = {}
    for record in records(results):
        groups.setdefault((str(record["table"]), str(record["system"])), []).append(record)
    names = ("shape", "trend", "c2st", TSTR)
    lines = ["| table | system | runs | shape | trend | C2ST | TSTR | fit CPU s |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for (table, system), found in sorted(groups.items()):
        figures = [f"{median(values(found, name)):.4f}" for name in names]
        seconds = median(float(str(record.get("fit_cpu_s", 0))) for record in found)
        cells = [table, system, str(len(found)), *figures, f"{seconds:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def values(found: Sequence[dict[str, object]], name: str) -> list[float]:
    """One figure of each run; NaN where a run has none."""
    out = []
    for record in found:
        figures = record["figures"]
        assert isinstance(figures, dict)
        value = figures.get(name, {}).get("value")
        out.append(float("nan") if value is None else float(value))
    return out


def plot(results: Path) -> str:
    """TSTR against epsilon as an SVG drawing, one line an arm, of the first table in the file."""
    found = records(results)
    table = str(found[0]["table"])
    lines, colours = [], ("#1b6ca8", "#c8553d", "#588b5b")
    for (name, pattern), colour in zip(ARMS.items(), colours, strict=True):
        points = []
        for epsilon in EPSILONS:
            own = [r for r in found if r["system"] == pattern.format(epsilon)]
            scores = values([r for r in own if r["table"] == table], TSTR)
            if scores:
                points.append((60 + 50 * epsilon, 340 - 1500 * (median(scores) - 0.75)))
        path = " ".join(f"{x},{y:.1f}" for x, y in points)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if points:
            x, y = points[-1]
            lines.append(f'<text x="{x + 8}" y="{y:.0f}" fill="{colour}">{name}</text>')
    for epsilon in EPSILONS:
        lines.append(f'<text x="{56 + 50 * epsilon}" y="365">{epsilon}</text>')
    for score in (0.75, 0.8, 0.85, 0.9, 0.95):
        lines.append(f'<text x="10" y="{344 - 1500 * (score - 0.75):.0f}">{score:.2f}</text>')
    title = f'<text x="60" y="20">TSTR AUC against epsilon, {table}</text>'
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="380" font-family="sans-serif">'
    )
    return "\n".join([head, title, *lines, "</svg>\n"])


if __name__ == "__main__":
    main()
