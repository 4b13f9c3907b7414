"""The losses of a fit so far, as few points as a drawing needs, however long it runs."""

from __future__ import annotations

from collections.abc import Sequence

MOST_POINTS = 240


class LossCurve:
    """Points of share done and loss; every second one goes when there are too many.

    Args:
        points: of an earlier attempt, which this one goes on from.
    """

    def __init__(self, points: Sequence[Sequence[float]] = ()) -> None:
        self.points = [(float(done), float(loss)) for done, loss in points]
        self._gap = self._spacing() if self.points else 0.0

    def add(self, done: float, loss: float) -> None:
        """Take a point, unless it is closer to the last one than those of the curve are."""
        while self.points and self.points[-1][0] >= done:
            self.points.pop()  # an attempt goes on from a checkpoint, which lies further back
        if self.points and done - self.points[-1][0] < self._gap:
            return
        self.points.append((round(done, 6), round(loss, 5)))
        if len(self.points) > MOST_POINTS:
            del self.points[1::2]
            self._gap = self._spacing()

    def _spacing(self) -> float:
        return 0.9 * self.points[-1][0] / len(self.points)
