"""Fits one of SDV's synthesizers, or draws rows as SMOTE makes them: `--preset` names which.

`ctgan` and `tvae` take `--epochs`; `gaussian_copula` and `smote` have none. SMOTE interpolates
between a train row and a near one of its class, so its rows keep a train row's categories often.
"""

from __future__ import annotations

from importlib.metadata import version

import pandas as pd
import torch
from contract import READ_CSV, Request, Stopwatch, read_request, write_timing
from imblearn.over_sampling import SMOTENC
from sdv.metadata import Metadata
from sdv.single_table import CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer

ABSENT = "(absent)"
"""Stands for an empty category while SMOTE runs, which takes no empty cells."""
TABLE = "table"
NEURAL = {"ctgan": CTGANSynthesizer, "tvae": TVAESynthesizer}


def main() -> None:
    """Fit (for SMOTE: nothing), then draw rows."""
    request = read_request()
    table = pd.read_csv(request.train, **READ_CSV)
    torch.manual_seed(request.seed)
    watch = Stopwatch()
    draw = smote if request.preset == "smote" else sdv
    synthetic, settings = draw(table, request, watch)
    synthetic.to_csv(request.out, index=False)
    packages = ("imbalanced-learn",) if request.preset == "smote" else ("sdv", "ctgan", "copulas")
    write_timing(
        request.timing,
        watch,
        version=", ".join(f"{name} {version(name)}" for name in packages),
        threads=torch.get_num_threads(),
        settings={"preset": request.preset, **settings},
    )


def sdv(
    table: pd.DataFrame, request: Request, watch: Stopwatch
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Rows of an SDV synthesizer with its defaults but for the epochs."""
    settings: dict[str, object] = {}
    numeric = set(table.select_dtypes("number").columns)
    kinds = {n: {"sdtype": "numerical" if n in numeric else "categorical"} for n in table.columns}
    metadata = Metadata.load_from_dict({"tables": {TABLE: {"columns": kinds}}})
    kind = NEURAL.get(request.preset or "", GaussianCopulaSynthesizer)
    if kind is GaussianCopulaSynthesizer and request.preset != "gaussian_copula":
        raise SystemExit("--preset is ctgan, tvae, gaussian_copula or smote.")
    if request.epochs is not None and kind is not GaussianCopulaSynthesizer:
        settings["epochs"] = request.epochs
    model = kind(metadata, **settings)
    with watch.stage("fit"):
        model.fit({TABLE: table})
    with watch.stage("sample"):
        synthetic = model.sample(num_rows=request.rows)[TABLE]
    return synthetic, settings


def smote(
    table: pd.DataFrame, request: Request, watch: Stopwatch
) -> tuple[pd.DataFrame, dict[str, object]]:
    """As many new rows as train has, in every class as many as it has there.

    Whole-number columns are rounded; an empty number stands as the column's median.
    """
    if request.target is None or request.rows != len(table):
        raise SystemExit("SMOTE needs a --target, and draws as many rows as train has.")
    features = table.drop(columns=request.target)
    numeric = list(features.select_dtypes("number").columns)
    categories = [name for name in features.columns if name not in numeric]
    with watch.stage("fit"):
        filled = features.fillna(features[numeric].median()).fillna(
            dict.fromkeys(categories, ABSENT)
        )
        classes = table[request.target]
        twice = {name: 2 * count for name, count in classes.value_counts().items()}
        fewest = int(classes.value_counts().min())
        neighbours = min(5, fewest - 1)
        model = SMOTENC(
            categorical_features=categories,
            sampling_strategy=twice,
            k_neighbors=neighbours,
            random_state=request.seed,
        )
    with watch.stage("sample"):
        drawn, labels = model.fit_resample(filled, classes)
    new = drawn.iloc[len(table) :].replace({name: {ABSENT: None} for name in categories})
    for name in numeric:
        if (features[name].dropna() % 1 == 0).all():
            new[name] = new[name].round()
    new[request.target] = labels.iloc[len(table) :]
    return new[list(table.columns)], {"k_neighbors": neighbours}


if __name__ == "__main__":
    main()
