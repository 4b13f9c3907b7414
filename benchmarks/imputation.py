"""Filling in masked cells: llmsynth beside mean and mode, IterativeImputer, and forests.

    python benchmarks/imputation.py --data DIR --results imputation.jsonl
    python benchmarks/imputation.py --results imputation.jsonl --table

A tenth of the cells of every column but the target is masked: at random (MCAR), or more often
where another column, which stays whole, is large (MAR: a logistic function of its rank). Every way
sees the same masked train rows. Asked of each completed table:

- distribution: of the masked cells, Wasserstein distance in standard deviations for numbers, total
  variation for categories; means over columns. What the masked cells truly are is the reference.
- error: root mean squared error of numbers in standard deviations, share of wrong categories. A
  way that draws from the conditional must lose here to one that gives its mean.
- associations: mean absolute error of the pair matrix (Pearson, correlation ratio, Cramer's V).
- downstream: a learner taught by the completed train rows, asked whole test rows (AUC, or R2).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from cases import BY_NAME, Case
from ledger import read
from machine import describe
from scipy.stats import wasserstein_distance
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import BayesianRidge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import OrdinalEncoder

from llmsynth import Synthesizer, impute

TABLES = ("adult", "california_housing")
SHARE = 0.1
DRIVERS = {"adult": "hours_per_week", "california_housing": "median_income"}
"""What decides under MAR whether another column's cell is masked; never masked itself then."""
Frame = pd.DataFrame
Mask = npt.NDArray[np.bool_]
Way = Callable[[Frame, Case, argparse.Namespace], Frame]


def main() -> None:
    """Run what the results file lacks, or print it as a table."""
    options = _options()
    if options.table:
        print(_markdown(list(read(options.results))))
        return
    done = {(line["table"], line["masked"], line["way"]) for line in read(options.results)}
    for name in TABLES:
        train, test = _halves(BY_NAME[name], options)
        for masked in ("MCAR", "MAR"):
            mask = _mask(train, BY_NAME[name], masked, seed=options.seed)
            for way in WAYS:
                if (name, masked, way) in done:
                    continue
                line = _run(BY_NAME[name], train, test, mask, way, options)
                line |= {"table": name, "masked": masked, "way": way}
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                print(json.dumps(line), flush=True)


def _run(
    case: Case, train: Frame, test: Frame, mask: Mask, way: str, options: argparse.Namespace
) -> dict[str, object]:
    gaps = train.mask(pd.DataFrame(mask, columns=train.columns, index=train.index))
    started, clock = time.process_time(), time.perf_counter()
    filled = WAYS[way](gaps, case, options)
    seconds, cpu = time.perf_counter() - clock, time.process_time() - started
    return {
        "rows": len(train),
        "masked_cells": int(mask.sum()),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        **_cells(train, filled, mask),
        "associations": _association_error(train, filled),
        "downstream": _downstream(case, filled, test),
        "downstream_whole": _downstream(case, train, test),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe(),
    }


def _halves(case: Case, options: argparse.Namespace) -> tuple[Frame, Frame]:
    table = pd.read_csv(options.data / case.file, keep_default_na=False, na_values=["", "?"])
    table = table.dropna().drop_duplicates().sample(frac=1, random_state=options.seed)
    table = table.head(2 * options.rows).reset_index(drop=True)
    middle = len(table) // 2
    return table.iloc[:middle].reset_index(drop=True), table.iloc[middle:].reset_index(drop=True)


def _mask(train: Frame, case: Case, masked: str, *, seed: int) -> Mask:
    rng = np.random.default_rng((seed, 7))
    chance = np.full(train.shape, SHARE)
    whole = [case.target]
    if masked == "MAR":
        driver = DRIVERS[case.name]
        rank = train[driver].rank(pct=True).to_numpy()
        slope = 1 / (1 + np.exp(-6 * (rank - 0.5)))
        chance = np.repeat((SHARE * slope / slope.mean())[:, None], train.shape[1], axis=1)
        whole.append(driver)
    mask: Mask = rng.random(train.shape) < chance
    mask[:, [train.columns.get_loc(name) for name in whole]] = False
    return mask


def _ours(gaps: Frame, case: Case, options: argparse.Namespace) -> Frame:
    model = Synthesizer(target=case.target, seed=options.seed, keep_rare=True, personal_data="keep")
    filled = impute(gaps, synthesizer=model, seed=options.seed).to_pandas()
    return filled.astype(gaps.dtypes.to_dict())


def _simple(gaps: Frame, case: Case, options: argparse.Namespace) -> Frame:
    out = gaps.copy()
    for name in out.columns:
        is_number = pd.api.types.is_numeric_dtype(out[name])
        out[name] = out[name].fillna(out[name].mean() if is_number else out[name].mode()[0])
    return out


def _iterated(draws: bool, forest: bool) -> Way:
    def fill(gaps: Frame, case: Case, options: argparse.Namespace) -> Frame:
        texts = [n for n in gaps.columns if not pd.api.types.is_numeric_dtype(gaps[n])]
        coder = OrdinalEncoder().set_output(transform="pandas")
        coded = gaps.copy()
        if texts:
            coded[texts] = coder.fit_transform(gaps[texts])
        learner = (
            ExtraTreesRegressor(n_estimators=20, min_samples_leaf=2, random_state=options.seed)
            if forest
            else BayesianRidge()
        )
        model = IterativeImputer(
            learner,
            sample_posterior=draws,
            max_iter=3 if forest else 10,
            random_state=options.seed,
            min_value=coded.min().to_numpy(),
            max_value=coded.max().to_numpy(),
            tol=0.0 if forest else 1e-3,
        )
        filled = pd.DataFrame(_quiet(model, coded), columns=gaps.columns)
        if texts:
            most = [len(found) - 1 for found in coder.categories_]
            codes = filled[texts].round().clip(0, pd.Series(most, index=texts), axis=1)
            for place, name in enumerate(texts):
                filled[name] = coder.categories_[place][codes[name].astype(int)]
        return filled.where(gaps.isna(), gaps).astype(gaps.dtypes.to_dict())

    return fill


def _quiet(model: IterativeImputer, coded: Frame) -> npt.NDArray[np.float64]:
    import warnings

    with warnings.catch_warnings():
        # A fixed number of rounds is asked for; that they have not converged is no news.
        warnings.simplefilter("ignore")
        found: npt.NDArray[np.float64] = model.fit_transform(coded)
    return found


WAYS: Mapping[str, Way] = {
    "mean, mode": _simple,
    "IterativeImputer (ridge)": _iterated(draws=False, forest=False),
    "IterativeImputer (ridge, drawn)": _iterated(draws=True, forest=False),
    "MissForest-style": _iterated(draws=False, forest=True),
    "llmsynth": _ours,
}


def _cells(train: Frame, filled: Frame, mask: Mask) -> dict[str, float]:
    found: dict[str, list[float]] = {"numbers": [], "categories": [], "rmse": [], "wrong": []}
    for place, name in enumerate(train.columns):
        if not mask[:, place].any():
            continue
        true, drawn = train[name][mask[:, place]], filled[name][mask[:, place]]
        if pd.api.types.is_numeric_dtype(train[name]):
            scale = float(train[name].std()) or 1.0
            found["numbers"].append(wasserstein_distance(true, drawn) / scale)
            found["rmse"].append(float(np.sqrt(np.mean((true - drawn) ** 2))) / scale)
        else:
            shares = [part.value_counts(normalize=True) for part in (true, drawn)]
            apart = shares[0].sub(shares[1], fill_value=0).abs().sum() / 2
            found["categories"].append(float(apart))
            found["wrong"].append(float((true.to_numpy() != drawn.to_numpy()).mean()))
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def _association_error(train: Frame, filled: Frame) -> float:
    return float(np.abs(_associations(train) - _associations(filled)).mean())


def _associations(table: Frame) -> npt.NDArray[np.float64]:
    names = list(table.columns)
    out = [_association(table[a], table[b]) for n, a in enumerate(names) for b in names[n + 1 :]]
    return np.array(out)


def _association(a: pd.Series, b: pd.Series) -> float:
    numeric = [pd.api.types.is_numeric_dtype(column) for column in (a, b)]
    if all(numeric):
        return abs(float(np.corrcoef(a, b)[0, 1]))
    if any(numeric):
        numbers, groups = (a, b) if numeric[0] else (b, a)
        means = numbers.groupby(groups).transform("mean")
        return float(np.sqrt(means.var() / (numbers.var() or 1.0)))
    counts = pd.crosstab(a, b).to_numpy().astype(float)
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    chi = ((counts - expected) ** 2 / expected).sum() / counts.sum()
    return float(np.sqrt(chi / max(min(counts.shape) - 1, 1)))


def _downstream(case: Case, train: Frame, test: Frame) -> float:
    texts = [
        n for n in train.columns if n != case.target and not pd.api.types.is_numeric_dtype(train[n])
    ]
    coder = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), texts),
        remainder="passthrough",
    )
    x, asked = (part.drop(columns=case.target) for part in (train, test))
    rows, questions = coder.fit_transform(x), coder.transform(asked)
    if pd.api.types.is_numeric_dtype(train[case.target]):
        model = HistGradientBoostingRegressor(random_state=0).fit(rows, train[case.target])
        return float(r2_score(test[case.target], model.predict(questions)))
    judge = HistGradientBoostingClassifier(random_state=0).fit(rows, train[case.target])
    scores = judge.predict_proba(questions)[:, 1]
    return float(roc_auc_score(test[case.target] == judge.classes_[1], scores))


def _markdown(lines: list[dict[str, object]]) -> str:
    parts = []
    for name in TABLES:
        for masked in ("MCAR", "MAR"):
            own = [li for li in lines if (li["table"], li["masked"]) == (name, masked)]
            if own:
                parts.append("\n".join(_section(name, masked, own)))
    return "\n\n".join(parts)


def _section(name: str, masked: str, own: list[dict[str, object]]) -> Iterator[str]:
    whole = own[0]["downstream_whole"]
    columns = {
        "numbers": "distribution, numbers",
        "categories": "distribution, categories",
        "rmse": "error, numbers",
        "wrong": "error, categories",
        "associations": "associations",
        "downstream": f"downstream (whole table: {whole:.4f})",
        "seconds": "seconds",
    }
    shown = {key: words for key, words in columns.items() if key in own[0]}
    yield f"| {name}, {masked} | {' | '.join(shown.values())} |"
    yield f"|---{'|---' * len(shown)}|"
    for line in own:
        cells = [f"{line[key]:.0f}" if key == "seconds" else f"{line[key]:.4f}" for key in shown]
        yield f"| {line['way']} | {' | '.join(cells)} |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=8_000, help="most train rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="print the results as Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    main()
