"""Differential privacy: this project, AIM and TabularARGN at the same epsilon on the same halves.

    python benchmarks/private.py --data DIR --results FILE

Arms of `tabular.py`, a system and an epsilon each: `ours+4`, `dpmm+aim-4`, `tabularargn+4`. Delta
is 1e-5 for all. `ours` and `dpmm` are given the table's declared values (`public_schemas/`);
TabularARGN cannot be and releases its own. `--arms unformatted` runs ours without its format stage;
`--plot FILE` draws TSTR against epsilon.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import tabular
from private_plot import EPSILONS, TSTR, drawing

TABLES = ("adult", "bank_marketing")
ARMS = {"ours": "ours+{}", "AIM": "dpmm+aim-{}", "TabularARGN": "tabularargn+{}"}
WITHOUT_FORMAT = {"unformatted": "ours+{}-unformatted"}
"""Ours, by private steps alone: what the stage on rows drawn from noisy counts is worth."""
KNOWN = ARMS | WITHOUT_FORMAT
FREE = ("ours", "tabularargn")
"""Arms without differential privacy, beside which the others stand."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not in the results file yet, then print the table, and draw the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    parser.add_argument("--epsilons", nargs="+", type=int, default=list(EPSILONS))
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=KNOWN)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--max-rows", type=int, default=8_000, help="most rows of the train half")
    parser.add_argument("--free", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work" / "private")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(arguments)
    systems = [KNOWN[arm].format(epsilon) for epsilon in options.epsilons for arm in options.arms]
    systems += FREE if options.free else ()
    given = ["--results", str(options.results), "--threads", "1", "--runs", str(options.runs)]
    given += ["--max-rows", str(options.max_rows), "--work", str(options.work)]
    given += ["--data", str(options.data)] if options.data else []
    tabular.main([*given, "--tables", *options.tables, "--systems", *systems])
    print("\n".join(summary(options.results)))
    if options.plot:
        options.plot.write_text(drawing(options.results), encoding="utf-8")


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


if __name__ == "__main__":
    main()
