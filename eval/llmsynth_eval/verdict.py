"""What the figures of a judgement say in plain words; no score that adds them up."""

from __future__ import annotations

from collections.abc import Mapping

from llmsynth_eval.figure import Figure
from llmsynth_eval.text_table import number_text

OVERFITTING = "well below the floor points to over-fitting, not quality"
WELL_BELOW = 0.8
CLOSE = 1.5


def verdict(figures: Mapping[str, Figure]) -> str:
    """One sentence per figure that was measured, the warnings among them in capitals."""
    sentences = [
        *_distance(figures.get("shape"), "Single columns"),
        *_distance(figures.get("trend"), "Pairs of columns"),
        *_c2st(figures.get("c2st")),
        *_tstr(figures),
        *_dcr_share(figures.get("dcr_share")),
        *_copies(figures.get("copies"), figures.get("copy_excess")),
        "None of these figures is a privacy guarantee.",
    ]
    return "\n".join(sentences)


def is_well_below_floor(figure: Figure) -> bool:
    """Whether an error is lower than fresh real rows reach, beyond both intervals."""
    if figure.value is None or figure.floor is None:
        return False
    high = figure.interval[1] if figure.interval else figure.value
    low = figure.floor_interval[0] if figure.floor_interval else figure.floor
    if figure.goal == "half":
        return high < low and high < 0.5
    return figure.goal == "lower" and high < low and figure.value < WELL_BELOW * figure.floor


def _distance(figure: Figure | None, subject: str) -> list[str]:
    if figure is None or figure.value is None:
        return []
    error = f"error {number_text(figure.value)}"
    if figure.floor is None:
        return [f"{subject}: {error}; no floor was measured to read it against."]
    beside = f"{error}, floor {number_text(figure.floor)}"
    if is_well_below_floor(figure):
        return [f"{subject}: WARNING, {beside}: {OVERFITTING}."]
    return [f"{subject} {_nearness(figure, figure.value, figure.floor)} ({beside})."]


def _nearness(figure: Figure, value: float, floor: float) -> str:
    low = figure.interval[0] if figure.interval else value
    high = figure.floor_interval[1] if figure.floor_interval else floor
    if low <= high:
        return "match the train table as well as fresh real rows do"
    if value <= CLOSE * floor:
        return "are close to the train table, short of fresh real rows"
    if floor == 0:
        return "differ from the train table, where fresh real rows do not"
    return f"are {value / floor:.1f} times as far off as fresh real rows are"


def _c2st(figure: Figure | None) -> list[str]:
    if figure is None or figure.value is None:
        return []
    shown = f"AUC {number_text(figure.value)}, floor {number_text(figure.floor)}"
    if is_well_below_floor(figure):
        return [f"Classifier: WARNING, {shown}: {OVERFITTING}."]
    low = figure.interval[0] if figure.interval else figure.value
    reference = figure.floor_interval[1] if figure.floor_interval else 0.5
    if low <= max(0.5, reference):
        return [f"A classifier cannot tell synthetic rows from real ones ({shown})."]
    words = "barely" if figure.value < 0.55 else "partly" if figure.value < 0.8 else "easily"
    return [f"A classifier can {words} tell synthetic rows from real ones ({shown})."]


def _tstr(figures: Mapping[str, Figure]) -> list[str]:
    out = []
    for figure in figures.values():
        if not figure.name.startswith("tstr_") or figure.value is None or figure.floor is None:
            continue
        score = figure.title.removeprefix("TSTR ")
        shown = f"{score} {number_text(figure.value)} against {number_text(figure.floor)}"
        low, high = figure.interval or (figure.value, figure.value)
        if figure.floor_interval is not None and low > figure.floor_interval[1]:
            out.append(
                f"WARNING: a learner taught by synthetic rows predicts better than by real "
                f"({shown}); look whether holdout rows came to the synthesizer."
            )
        elif high >= figure.floor:
            out.append(f"A learner taught by synthetic rows predicts as well as by real ({shown}).")
        else:
            out.append(f"A learner taught by synthetic rows predicts worse than by real ({shown}).")
    return out


def _dcr_share(figure: Figure | None) -> list[str]:
    if figure is None or figure.value is None or figure.interval is None:
        return []
    shown = f"share {number_text(figure.value)}, .5 expected"
    if figure.interval[0] > 0.5:
        return [f"WARNING: synthetic rows lie nearer to train rows than to unseen ones ({shown})."]
    if figure.interval[1] < 0.5:
        return [
            f"Synthetic rows lie nearer to the holdout than to train ({shown}); "
            "look whether train and holdout were split at random."
        ]
    return [f"Synthetic rows lie no nearer to train rows than to unseen ones ({shown})."]


def _copies(share: Figure | None, excess: Figure | None) -> list[str]:
    if share is None or excess is None or share.value is None or excess.value is None:
        return []
    shown = f"{100 * share.value:.2f}% of rows, excess {100 * excess.value:.2f}%"
    if excess.interval is not None and excess.interval[0] > 0:
        return [f"WARNING: train rows are copied beyond chance ({shown})."]
    if excess.interval is not None and excess.interval[1] < 0:
        return [
            f"WARNING: holdout rows are copied beyond chance ({shown}); look whether they came "
            "to the synthesizer."
        ]
    if share.value == 0:
        return ["No synthetic row is equal to a train row."]
    return [f"Equal rows are no more frequent than among unseen real rows ({shown})."]
