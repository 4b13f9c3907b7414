"""Texts that the compact model spells: how open, how copied, and how well they go with their row.

    python benchmarks/short_texts.py --data DIR [--rows 3000] [--minutes 3] [--only titanic]

Half of a table is learned by the default fit, within `--minutes`. Of each text column:

* distinct: share of cells that differ, real and synthetic;
* copies: share of the spelled cells (held by fewer than five train rows) that equal such a train
  text, of held-out rows and of synthetic ones, with the guard and without;
* told: how often a classifier of the real train rows (character TF-IDF, logistic regression) tells
  another column from the text, in held-out and in synthetic rows, and the share of the largest
  class.

The other columns are judged (shape, trend, C2ST) beside those of a fit without the texts.
"""

from __future__ import annotations

import argparse
import gzip
import io
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from llmsynth_eval import judge
from machine import describe
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from llmsynth import Synthesizer
from llmsynth.schema import TextColumn
from llmsynth.synthesizers.compact_learner import CompactLearner

_FLOOR = 5
_MOST_CLASSES = 12


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table: its file, a target for the judge, and what each text should tell."""

    file: str
    target: str
    told: dict[str, str]
    """Text column to the column that goes with it."""
    dropped: tuple[str, ...] = ()


TABLES = {
    "titanic": Table(
        file="titanic.csv.gz",
        target="Survived",
        told={"Ticket": "Pclass", "Cabin": "Pclass", "Name": "Sex"},
    ),
    "lahman_people": Table(
        file="relational/lahman_people.csv.gz",
        target="throws",
        told={"birthCity": "birthCountry", "nameFirst": "birthCountry", "nameLast": "birthCountry"},
    ),
    "womens_clothing_reviews": Table(
        file="womens_clothing_reviews.csv.gz",
        target="recommended_ind",
        told={"review_text": "department_name"},
    ),
    "mts_dialog_notes": Table(
        file="mts_dialog_notes.csv.gz",
        target="section_header",
        told={"section_text": "section_header"},
        dropped=("ID", "split", "dialogue"),
    ),
    "diabetes_130us": Table(
        file="diabetes_130us.csv.gz",
        target="readmitted",
        told={"diag_1": "medical_specialty"},
        dropped=("encounter_id", "patient_nbr"),
    ),
}


def main() -> None:
    """Fit every table and print two Markdown tables and twenty texts of each column."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--only", choices=list(TABLES))
    options = parser.parse_args()
    print(time.strftime("%Y-%m-%d"), describe())
    for name in [options.only] if options.only else TABLES:
        table = TABLES[name]
        data = gzip.decompress((options.data / table.file).read_bytes())
        cells = pd.read_csv(io.BytesIO(data), dtype=str).drop(columns=list(table.dropped))
        cells = cells.sample(min(len(cells), 2 * options.rows), random_state=0)
        half = len(cells) // 2
        for line in _lines(name, table, cells[:half], cells[half:], options.minutes):
            print(line, flush=True)


def _lines(
    name: str, table: Table, train: pd.DataFrame, holdout: pd.DataFrame, minutes: float
) -> Iterator[str]:
    synthesizer, synthetic, seconds = _fitted(table, train, minutes, drop_text=False)
    unguarded = _without_guard(synthesizer).sample(len(train), seed=1).to_pandas().astype("string")
    texts = [c for c in synthesizer.schema_.columns if isinstance(c, TextColumn)]
    yield f"\n### {name}: {len(train)} rows, fit and draw {seconds:.0f} s\n"
    heads = ("text", "distinct, real", "distinct", "copies, held out", "copies", "copies, no guard")
    heads += ("tells", "held out", "synthetic", "largest class")
    yield f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}"
    for column in texts:
        rare = _rare(train[column.name])
        parts = [f"{_distinct(t[column.name]):.3f}" for t in (holdout, synthetic)]
        parts += [
            f"{_copies(t[column.name], rare, set(column.common)):.4f}"
            for t in (holdout, synthetic, unguarded)
        ]
        other = table.told.get(column.name)
        parts += [other or "-", *(_told(train, holdout, synthetic, column.name, other))]
        yield f"| {column.name} | {' | '.join(parts)} |"
    _, plain, plain_seconds = _fitted(table, train, minutes, drop_text=True)
    kept = [c for c in plain.columns if c not in {t.name for t in texts}]
    yield f"\nOther columns ({len(kept)}), beside a fit without texts ({plain_seconds:.0f} s):\n"
    yield "| fit | shape | trend | C2ST |\n|---|---|---|---|"
    for label, drawn in (("with texts", synthetic), ("without", plain)):
        found = _judged(train[kept], drawn[kept], holdout[kept], table.target)
        figures = [found.get(key, float("nan")) for key in ("shape", "trend", "c2st")]
        yield f"| {label} | {' | '.join(f'{figure:.4f}' for figure in figures)} |"
    for column in texts:
        shown = synthetic[column.name].dropna().head(20).tolist()
        yield f"\n{column.name}: " + " / ".join(text[:90] for text in shown)


def _fitted(
    table: Table, train: pd.DataFrame, minutes: float, *, drop_text: bool
) -> tuple[Synthesizer, pd.DataFrame, float]:
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.csv"
        train.to_csv(file, index=False)
        synthesizer = Synthesizer(target=table.target, drop_text=drop_text, max_minutes=minutes)
        synthesizer.fit(file)
    drawn = synthesizer.sample(len(train), seed=1).to_pandas().astype("string")
    return synthesizer, drawn, time.perf_counter() - begun


def _without_guard(synthesizer: Synthesizer) -> Synthesizer:
    learner = synthesizer.learner_
    assert isinstance(learner, CompactLearner)
    out = Synthesizer()
    out.learner_ = replace(learner, guard=None)
    return out


def _rare(cells: pd.Series) -> set[str]:
    counts = cells.dropna().value_counts()
    return set(counts[counts < _FLOOR].index)


def _distinct(cells: pd.Series) -> float:
    present = cells.dropna()
    return float(present.nunique() / max(len(present), 1))


def _copies(cells: pd.Series, rare: set[str], common: set[str]) -> float:
    spelled = [text for text in cells.dropna() if text not in common]
    return float(np.mean([text in rare for text in spelled])) if spelled else float("nan")


def _told(
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    synthetic: pd.DataFrame,
    text: str,
    other: str | None,
) -> list[str]:
    if other is None or other not in synthetic:
        return ["-", "-", "-"]
    frames = [t[[text, other]].dropna() for t in (train, holdout, synthetic)]
    classes = frames[0][other].value_counts().index[:_MOST_CLASSES]
    real, held, made = (t[t[other].isin(classes)] for t in frames)
    model = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2),
        LogisticRegression(max_iter=1000, class_weight=None),
    )
    model.fit(real[text].astype(str), real[other])
    scores = [model.score(t[text].astype(str), t[other]) for t in (held, made)]
    return [
        *(f"{score:.3f}" for score in scores),
        f"{held[other].value_counts(normalize=True).iloc[0]:.3f}",
    ]


def _judged(
    train: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame, target: str
) -> dict[str, float]:
    numeric = [
        str(name)
        for name, cells in train.items()
        if pd.to_numeric(cells.dropna(), errors="coerce").notna().all() and cells.nunique() > 12
    ]
    roles = []
    for cells in (train, synthetic, holdout):
        typed = cells.astype("object").where(cells.notna(), None)
        for name in numeric:
            typed[name] = pd.to_numeric(cells[name], errors="coerce").astype(float)
        roles.append(typed.reset_index(drop=True))
    return dict(judge(*roles, target=target, numeric=numeric, seed=0).values)


if __name__ == "__main__":
    main()
