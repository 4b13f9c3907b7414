"""Membership inference: can the synthetic table tell train rows from rows it never saw?"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from llmsynth_eval.cells import Floats
from llmsynth_eval.details import Curve, DetailTable, Line, thinned
from llmsynth_eval.figure import Figure
from llmsynth_eval.intervals import delong
from llmsynth_eval.metric import Measurement
from llmsynth_eval.privacy.distances import Distances
from llmsynth_eval.privacy.evidence import Evidence, Finding
from llmsynth_eval.privacy.excess import clopper_pearson
from llmsynth_eval.privacy.row_keys import row_label

FALSE_POSITIVE_RATES = (0.01, 0.001)
MOST_LISTED = 20


def distance_attack(distances: Distances) -> Finding:
    """Guess "member" for rows with a near synthetic row.

    Threat model: the attacker has the synthetic table and candidate rows, nothing else.
    """
    found = attack(
        -distances.from_train.nearest,
        -distances.from_holdout.nearest,
        name="mia_distance",
        title="Membership by distance",
        meaning="the nearer the nearest synthetic row, the likelier a member",
    )
    measured = found.measurement
    listing = _listing(distances)
    return Finding(
        measurement=Measurement(
            figures=measured.figures, curves=measured.curves, tables=(listing,)
        ),
        evidence=found.evidence,
    )


def density_attack(distances: Distances) -> Finding:
    """Guess "member" where the synthetic table is denser than unseen real rows are.

    Density by the mean log distance to the three nearest rows, which suits categories where
    kernels are singular. Threat model: the attacker also holds real rows of the same source,
    here every second holdout row, which are then no non-members.

    Source: B. van Breugel et al. (2023), DOMIAS, AISTATS (the ratio; not its density model).
    """
    members = _log_ratio(distances.from_train.distances, distances.members_to_reference.distances)
    others = _log_ratio(
        distances.from_holdout.distances[::2], distances.others_to_reference.distances
    )
    return attack(
        members,
        others,
        name="mia_density",
        title="Membership by density ratio",
        meaning="the denser synthetic rows lie than unseen real rows, the likelier a member",
    )


def attack(members: Floats, others: Floats, *, name: str, title: str, meaning: str) -> Finding:
    """AUC, true positive rates and ROC of a membership score; higher is likelier a member."""
    is_member = np.concatenate([np.ones(len(members), bool), np.zeros(len(others), bool)])
    scores = np.concatenate([members, others])
    auc, interval = delong(is_member, scores)
    p_value = _rank_sum(auc, scores, len(members), len(others))
    figure = Figure(
        name=f"{name}_auc",
        title=f"{title}: AUC",
        value=auc,
        interval=interval,
        floor=0.5,
        goal="half",
        meaning=f"Chance that a train row scores above an unseen row ({meaning}); .5 by "
        f"definition for real rows. One-sided p-value {p_value:.3g}.",
    )
    rates = [
        _true_positives(members, others, rate, name=name, title=title)
        for rate in FALSE_POSITIVE_RATES
    ]
    return Finding(
        measurement=Measurement(
            figures=(figure, *rates), curves=(_roc(members, others, name=name, title=title),)
        ),
        evidence=(Evidence(name=title, effect=auc - 0.5, p_value=p_value),),
    )


def threshold_at(others: Floats, rate: float) -> float:
    """The lowest score above which at most a share `rate` of non-members lie."""
    allowed = int(np.floor(rate * len(others) + 1e-9))
    return float(np.sort(others)[len(others) - 1 - allowed])


def _true_positives(
    members: Floats, others: Floats, rate: float, *, name: str, title: str
) -> Figure:
    above = int((members > threshold_at(others, rate)).sum())
    return Figure(
        name=f"{name}_tpr_at_{100 * rate:g}%",
        title=f"{title}: TPR at {100 * rate:g}% FPR",
        value=above / len(members),
        interval=clopper_pearson(above, len(members)),
        floor=rate,
        goal="lower",
        meaning=f"Share of train rows recognised where at most {100 * rate:g}% of "
        f"{len(others):,} unseen rows are taken for members; a guess reaches {100 * rate:g}%. "
        "The interval takes the threshold as given.",
    )


def _rank_sum(auc: float, scores: Floats, num_members: int, num_others: int) -> float:
    """One-sided p-value of the AUC if membership were shuffled, normal with ties.

    Source: E. Lehmann (1975), Nonparametrics, section 1.4.
    """
    total = num_members + num_others
    _, times = np.unique(scores, return_counts=True)
    ties = float((times.astype(np.float64) ** 3 - times).sum()) / (total * (total - 1))
    variance = (total + 1 - ties) / (12 * num_members * num_others)
    return float(norm.sf((auc - 0.5) / np.sqrt(variance))) if variance > 0 else 1.0


def _log_ratio(to_synthetic: Floats, to_reference: Floats) -> Floats:
    """log p_synthetic - log p_reference up to a constant factor, from squared distances."""
    tiny = np.finfo(np.float64).tiny
    num = min(to_synthetic.shape[1], to_reference.shape[1])
    logs = [np.log(np.maximum(d[:, :num], tiny)).mean(axis=1) for d in (to_synthetic, to_reference)]
    out: Floats = logs[1] - logs[0]
    return out


def _roc(members: Floats, others: Floats, *, name: str, title: str) -> Curve:
    bars = np.unique(np.concatenate([members, others]))[::-1]
    ordered = [np.sort(scores) for scores in (others, members)]
    rates = [1 - np.searchsorted(s, bars) / len(s) for s in ordered]
    x, y = thinned([0.0, *rates[0].tolist()], [0.0, *rates[1].tolist()])
    return Curve(
        name=f"{name}_roc",
        title=f"{title}: ROC",
        x_label="false positive rate",
        y_label="true positive rate",
        lines=(Line(name="attack", x=x, y=y), Line(name="guessing", x=(0.0, 1.0), y=(0.0, 1.0))),
        meaning="Good: the line of the attack lies on the diagonal. Look at the left end: few "
        "rows recognised surely are worse than many recognised hardly.",
    )


def _listing(distances: Distances) -> DetailTable:
    """Isolated train rows that have a synthetic row right beside them."""
    near = distances.from_train.nearest
    isolation = distances.isolation[: len(near)]
    relative = near / np.maximum(isolation, np.finfo(np.float64).tiny)
    worst = np.lexsort((-isolation, relative))[:MOST_LISTED]
    return DetailTable(
        name="exposed_rows",
        title="Train rows nearest to a synthetic row",
        columns=(
            "row",
            "distance to synthetic",
            "distance to other real rows",
            "ratio",
        ),
        rows=tuple(
            (
                row_label(distances.train, "train", n),
                float(near[n]),
                float(isolation[n]),
                float(relative[n]),
            )
            for n in worst
        ),
        meaning="Row numbers of the given train table, first row 1, by the distance to the "
        "nearest synthetic row over that to the nearest real row. A ratio near 0 of a row far "
        "from others is a person given away; some small ratios occur by chance.",
    )
