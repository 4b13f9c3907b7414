"""What each drawing of a page shows: overlays, errors of pairs, associations, projections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.figure import ColumnError, PairError
from llmsynth_eval.pages.pictures import AssociationMap, Overlay, Projection
from llmsynth_eval.pages.svg import density, heat_map, histogram, paired_bars, shortened


def distributions(overlays: Iterable[Overlay], errors: Mapping[str, ColumnError]) -> str:
    """One small drawing per column, in the order given."""
    return "".join(
        f"<figure><figcaption><b>{escape(shortened(overlay.column, 28))}</b> "
        f"<span>{_error(errors.get(overlay.column))}</span></figcaption>"
        f"{_distribution(overlay)}</figure>"
        for overlay in overlays
    )


def trend_map(pairs: Iterable[PairError], names: Sequence[str]) -> str:
    """The trend error of every measured pair among `names`."""
    place = {name: number for number, name in enumerate(names)}
    values = np.full((len(names), len(names)), np.nan)
    for pair in pairs:
        if pair.first in place and pair.second in place:
            i, j = place[pair.first], place[pair.second]
            values[i, j] = values[j, i] = pair.error
    if np.isnan(values).all():
        return "<p>There is no pair of columns.</p>"
    peak = max(0.05, float(np.nanmax(values)))
    return heat_map(names, values, peak=peak, title="Trend error of each pair of columns")


def association_maps(found: AssociationMap) -> tuple[str, str]:
    """The association of every two columns, in real and in synthetic rows."""
    real, ours = (
        heat_map(found.columns, _matrix(values), peak=1.0, title=f"Association in {what} rows")
        for values, what in ((found.real, "real"), (found.synthetic, "synthetic"))
    )
    return real, ours


def projections(found: Projection) -> tuple[str, str]:
    """Where real and synthetic rows lie, on the same axes and the same scale of shades."""
    sides = _matrix(found.real), _matrix(found.synthetic)
    peak = max(float(side.max()) for side in sides) or 1.0
    real, ours = (
        density(shares, side=side, peak=peak, title=f"Where {side} rows lie, projected")
        for shares, side in zip(sides, ("real", "synthetic"), strict=True)
    )
    return real, ours


def _error(error: ColumnError | None) -> str:
    if error is None:
        return ""
    floor = "" if error.floor is None else f" (floor {error.floor:.3f})"
    return f"error {error.error:.3f}{floor}"


def _distribution(overlay: Overlay) -> str:
    title = f"Distribution of {overlay.column}, real and synthetic"
    if not overlay.labels:
        return "<p>No value in either table.</p>"
    real, synthetic = np.array(overlay.real), np.array(overlay.synthetic)
    if not overlay.is_numeric:
        return paired_bars(overlay.labels, real, synthetic, title=title)
    gaps = [f"{100 * share:.1f}%" for share in overlay.missing]
    missing = f"missing: real {gaps[0]}, synthetic {gaps[1]}" if any(overlay.missing) else ""
    low, high = overlay.labels
    return histogram(real, synthetic, low=low, high=high, missing=missing, title=title)


def _matrix(values: Sequence[Sequence[float]]) -> Floats:
    return np.array(values, dtype=np.float64)
