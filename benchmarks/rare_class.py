"""A rare class with and without naming it as the target: its share in new rows, what they teach.

    python benchmarks/rare_class.py --data DATA --cases sick_thyroid bank_marketing --share .06 \\
        --seeds 0 1 2 --results rare.jsonl

The train half of a table, cut to `--rows`, its rare class thinned to `--share` or `--rare` rows, is
fitted twice, with the target named and without. Of 20,000 drawn rows: the rare class' share beside
the table's and its standard error; of as many rows as the table has: AUROC and AUPRC of boosting
that learned them, on the holdout half, beside boosting of the real rows. One JSON line a fit; a run
goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import date
from pathlib import Path

import machine
import numpy as np
import pandas as pd
from cases import BY_NAME, Case, prepare, source
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

from llmsynth import Synthesizer

_DRAWN = 20_000
_TARGETS = ("sick_thyroid", "bank_marketing", "creditcard_ulb_undersampled")
_TARGETS += ("credit_default_taiwan", "adult")


def main() -> None:
    """Fit every table that has no line in the results yet, with the target named and without."""
    options = _options()
    done = _done(options.results)
    for name in options.cases:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as scratch:
                case = BY_NAME[name]
                train, holdout = _tables(case, Path(scratch), options, seed)
                real = None
                for named in (True, False):
                    key = (name, seed, named, len(train))
                    if key in done:
                        continue
                    real = real or _taught_by(train, holdout, case.target, seed)
                    line = {**_figures(case, train, holdout, named, options, seed), "trtr": real}
                    print(json.dumps(line), flush=True)
                    with options.results.open("a", encoding="utf-8") as handle:
                        handle.write(json.dumps(line) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="folder of the full tables")
    parser.add_argument("--cases", nargs="+", default=list(_TARGETS), choices=_TARGETS)
    parser.add_argument("--rows", type=int, default=8000, help="most rows of each half")
    parser.add_argument("--share", type=float, help="thin the rare class to this share")
    parser.add_argument("--rare", type=int, help="thin the rare class to so many rows")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--max-epochs", type=float)
    parser.add_argument("--results", type=Path, required=True)
    return parser.parse_args()


def _done(results: Path) -> set[tuple[str, int, bool, int]]:
    if not results.exists():
        return set()
    lines = map(json.loads, results.read_text(encoding="utf-8").splitlines())
    return {(line["case"], line["seed"], line["named"], line["rows"]) for line in lines}


def _tables(
    case: Case, work: Path, options: argparse.Namespace, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The train half, thinned, and the holdout half; a column of whole numbers for the class."""
    file = source(case, options.data)
    halves = prepare(case, file, work, max_rows=options.rows, seed=seed)
    train, holdout = (
        pd.read_csv(part, keep_default_na=False, na_values=[""])
        for part in (halves.train, halves.holdout)
    )
    is_rare = train[case.target] == _rare(train, case.target)
    wanted = int(is_rare.sum())
    if options.share is not None:
        wanted = min(wanted, round((~is_rare).sum() * options.share / (1 - options.share)))
    if options.rare is not None:
        wanted = min(wanted, options.rare)
    dropped = train.index[is_rare][wanted:]
    return train.drop(index=dropped).reset_index(drop=True), holdout


def _rare(table: pd.DataFrame, target: str) -> object:
    return table[target].value_counts().idxmin()


def _figures(
    case: Case,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    named: bool,
    options: argparse.Namespace,
    seed: int,
) -> dict[str, object]:
    synthesizer = Synthesizer(
        target=case.target if named else None, seed=seed, max_epochs=options.max_epochs
    )
    wall, spent = time.perf_counter(), time.process_time()
    synthesizer.fit(train)
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    rows = synthesizer.sample(_DRAWN, seed=seed).to_pandas()
    rare = _rare(train, case.target)
    share = float((train[case.target] == rare).mean())
    # What is read as a number or a yes may come back as another type than pandas has for it.
    drawn = float((rows[case.target].astype(str) == str(rare)).mean())
    error = (share * (1 - share) / len(train)) ** 0.5
    told = synthesizer.training_.target
    return {
        "date": date.today().isoformat(),
        **machine.describe(),
        "case": case.name,
        "seed": seed,
        "named": named,
        "rows": len(train),
        "rare_rows": round(share * len(train)),
        "share": round(share, 4),
        "drawn": round(drawn, 4),
        "standard_error": round(error, 4),
        "off_by_errors": round((drawn - share) / error, 2),
        "tstr": _taught_by(rows.iloc[: len(train)], holdout, case.target, seed),
        "fit_seconds": round(wall, 1),
        "fit_processor_seconds": round(spent, 1),
        "taught": told.taught if told else None,
        "model_loss": told.model_loss if told else None,
        "teacher_loss": told.teacher_loss if told else None,
        "target_seconds": told.seconds if told else None,
    }


def _taught_by(
    rows: pd.DataFrame, holdout: pd.DataFrame, target: str, seed: int
) -> dict[str, float]:
    """AUROC and AUPRC on the holdout of boosting taught by `rows`."""
    rare = str(_rare(holdout, target))
    features, exam = _numbers(rows, holdout, target)
    labels = (rows[target].astype(str) == rare).to_numpy()
    model = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=seed
    ).fit(features, labels)
    said = model.predict_proba(exam)[:, -1]
    truth = (holdout[target].astype(str) == rare).to_numpy()
    return {
        "auroc": round(float(roc_auc_score(truth, said)), 4),
        "auprc": round(float(average_precision_score(truth, said)), 4),
    }


def _numbers(
    rows: pd.DataFrame, holdout: pd.DataFrame, target: str
) -> tuple[np.ndarray, np.ndarray]:
    """Both tables as numbers; the texts of a column by their order among all of them."""
    learned, asked = [], []
    for name in holdout.columns.drop(target):
        one, other = rows[name], holdout[name]
        if not pd.api.types.is_numeric_dtype(other):
            known = {
                text: code for code, text in enumerate(sorted(set(other.dropna().astype(str))))
            }
            one, other = (part.astype(str).map(known) for part in (one, other))
        learned.append(pd.to_numeric(one, errors="coerce").to_numpy(dtype=float, na_value=np.nan))
        asked.append(pd.to_numeric(other, errors="coerce").to_numpy(dtype=float, na_value=np.nan))
    told = [n for n, cells in enumerate(learned) if np.isfinite(cells).any()]
    return np.stack([learned[n] for n in told], 1), np.stack([asked[n] for n in told], 1)


if __name__ == "__main__":
    main()
