"""Draws TSTR against epsilon, a panel a table, a line an arm, from a results file of `private.py`.

python benchmarks/private_plot.py results.jsonl docs/private.svg
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median

TSTR = "tstr_auc"
EPSILONS = (1, 4, 8)
NONE = 11.0
"""Where fits without differential privacy stand on the axis of epsilon."""
TICK = 0.05
ARMS = {"ours": "ours", "AIM": "dpmm+aim", "TabularARGN": "tabularargn"}
COLOURS = {"ours": "#1b5e8c", "AIM": "#c8553d", "TabularARGN": "#4d7c4a"}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 430, 330, 60, 40, 280
RIGHT = 330


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where an epsilon and a score lie in a panel."""

    low: float
    high: float
    shift: float
    epsilons: tuple[float, ...]

    def x(self, epsilon: float) -> float:
        return self.shift + LEFT + (RIGHT - LEFT) * epsilon / NONE

    def y(self, score: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (score - self.low) / (self.high - self.low)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the drawing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("drawing", type=Path)
    options = parser.parse_args(arguments)
    options.drawing.write_text(drawing(options.results), encoding="utf-8")


def drawing(results: Path) -> str:
    """The SVG text."""
    records = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    records = [record for record in records if "error" not in record]
    tables = list(dict.fromkeys(str(record["table"]) for record in records))
    panels = [
        panel([r for r in records if r["table"] == table], table, WIDTH * place)
        for place, table in enumerate(tables)
    ]
    size = f'viewBox="0 0 {WIDTH * len(tables)} {HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} width="{WIDTH * len(tables)}"'
    style = 'font-family="sans-serif" font-size="12" fill="#333"'
    back = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([f"{head} {style}>", back, *panels, "</svg>\n"])


def panel(records: Sequence[Mapping[str, object]], table: str, shift: float) -> str:
    """One table's axes, lines and names."""
    scores = {arm: points(records, system) for arm, system in ARMS.items()}
    real = median(figure(record, "floor") for record in records)
    every = [score for line in scores.values() for _, *found in line for score in found]
    low = TICK * math.floor(min([*every, real - 2 * TICK]) / TICK)
    high = TICK * math.ceil(max([*every, real]) / TICK)
    has_free = any(line and line[-1][0] == NONE for line in scores.values())
    shown = (*EPSILONS, NONE) if has_free else EPSILONS
    scale = Scale(low=low, high=high, shift=shift, epsilons=shown)
    parts = [
        f'<text x="{shift + LEFT}" y="20" font-size="14">{escape(table)}: AUC of a learner taught '
        "by synthetic rows</text>",
        *axes(scale),
        f'<line x1="{scale.x(0):.1f}" x2="{scale.x(NONE):.1f}" y1="{scale.y(real):.1f}" '
        f'y2="{scale.y(real):.1f}" stroke="#888" stroke-dasharray="4 3"/>',
        f'<text x="{scale.x(NONE) + 8:.1f}" y="{scale.y(real) - 4:.1f}">real rows</text>',
    ]
    for arm, line in scores.items():
        parts += drawn(scale, line, COLOURS[arm])
    return "\n".join(parts + names(scale, scores))


def points(
    records: Sequence[Mapping[str, object]], system: str
) -> list[tuple[float, float, float, float]]:
    """Epsilon, median, least and greatest score of an arm's runs, by epsilon."""
    out = []
    for epsilon in (*EPSILONS, NONE):
        mark = "-" if system.startswith("dpmm") else "+"
        name = system if epsilon == NONE else f"{system}{mark}{epsilon:g}"
        found = [figure(record, "value") for record in records if record["system"] == name]
        if found:
            out.append((epsilon, median(found), min(found), max(found)))
    return out


def figure(record: Mapping[str, object], part: str) -> float:
    """A record's TSTR figure: its `value`, or its `floor`, the same for real rows."""
    figures = record["figures"]
    assert isinstance(figures, dict)
    return float(figures[TSTR][part])


def axes(scale: Scale) -> list[str]:
    """Both axes with their numbers."""
    parts = []
    ticks = round((scale.high - scale.low) / TICK)
    for tick in range(ticks + 1):
        score = scale.low + TICK * tick
        parts.append(
            f'<line x1="{scale.x(0):.1f}" x2="{scale.x(NONE):.1f}" y1="{scale.y(score):.1f}" '
            f'y2="{scale.y(score):.1f}" stroke="#e4e4e4"/>'
            f'<text x="{scale.x(0) - 8:.1f}" y="{scale.y(score) + 4:.1f}" text-anchor="end">'
            f"{score:.2f}</text>"
        )
    for epsilon in scale.epsilons:
        word = "none" if epsilon == NONE else f"{epsilon:g}"
        parts.append(
            f'<text x="{scale.x(epsilon):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{word}</text>'
        )
    middle = (scale.x(0) + scale.x(NONE)) / 2
    parts.append(f'<text x="{middle:.1f}" y="{BOTTOM + 38}" text-anchor="middle">epsilon</text>')
    return parts


def drawn(
    scale: Scale, line: Sequence[tuple[float, float, float, float]], colour: str
) -> list[str]:
    """An arm: a line through the medians, a bar from least to greatest."""
    parts = []
    private = [(e, m) for e, m, *_ in line if e != NONE]
    path = " ".join(f"{scale.x(e):.1f},{scale.y(m):.1f}" for e, m in private)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for epsilon, middle, least, greatest in line:
        x = scale.x(epsilon)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{scale.y(least):.1f}" '
            f'y2="{scale.y(greatest):.1f}" stroke="{colour}"/>'
            f'<circle cx="{x:.1f}" cy="{scale.y(middle):.1f}" r="4" fill="{colour}"/>'
        )
    return parts


def names(
    scale: Scale, scores: Mapping[str, Sequence[tuple[float, float, float, float]]]
) -> list[str]:
    """The arms' names beside their last points, kept apart."""
    ends = sorted((scale.y(line[-1][1]), arm) for arm, line in scores.items() if line)
    parts, above = [], -100.0
    for y, arm in ends:
        at = max(y, above + 15)
        parts.append(
            f'<text x="{scale.x(NONE) + 12:.1f}" y="{at + 4:.1f}" fill="{COLOURS[arm]}" '
            f'font-weight="bold">{arm}</text>'
        )
        above = at
    return parts


if __name__ == "__main__":
    main()
