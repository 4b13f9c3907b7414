"""Gates: limits a report must keep, as TOML, and what a report breaks of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from llmsynth.errors import InputError
from llmsynth_eval.report import Evaluation, Report


@dataclass(frozen=True, kw_only=True)
class FigureGate:
    """Limits of one figure; a figure that was not measured breaks every limit."""

    minimum: float | None = None
    maximum: float | None = None
    above_floor: float | None = None
    """How far the value may lie above its floor."""
    below_floor: float | None = None
    """How far the value may lie below its floor."""

    def __post_init__(self) -> None:
        limits = (self.minimum, self.maximum, self.above_floor, self.below_floor)
        if limits == (None,) * len(limits):
            raise ValueError("a gate needs a limit: minimum, maximum, above_floor or below_floor")


@dataclass(frozen=True, kw_only=True)
class HeadlineGate:
    """Which headlines must not alarm."""

    quiet: tuple[str, ...] = ()
    """Names of headlines; each must have been measured and must not alarm."""
    all_quiet: bool = False
    """No headline that was measured may alarm."""


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What a report must keep."""

    figures: dict[str, FigureGate] = field(default_factory=dict)
    headlines: HeadlineGate = HeadlineGate()

    @classmethod
    def read(cls, path: str | Path) -> Gates:
        """Read gates from a TOML file.

        Raises:
            InputError: the file cannot be read, is not TOML, holds an unknown name or no gate.
        """
        try:
            data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
            gates = msgspec.convert(data, cls)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"Cannot read the gates {path}: {error}.") from error
        except msgspec.ValidationError as error:
            raise InputError(f"The gates {path} are not right: {error}.") from error
        unknown = sorted({*data} - {"figures", "headlines"})
        unknown += sorted({*data.get("headlines", {})} - {"quiet", "all_quiet"})
        limits = {"minimum", "maximum", "above_floor", "below_floor"}
        unknown += sorted({k for gate in data.get("figures", {}).values() for k in gate} - limits)
        if unknown:
            raise InputError(f"The gates {path} hold unknown names: {', '.join(unknown)}.")
        if gates == cls():
            raise InputError(f"The gates {path} name neither a figure nor a headline.")
        return gates

    def broken_by(self, report: Report) -> list[str]:
        """One sentence for every gate that a synthetic table of the report breaks."""
        return [
            f"{evaluation.name}: {words}"
            for evaluation in report.evaluations
            for words in (*self._figures(evaluation), *self._headlines(evaluation))
        ]

    def _figures(self, evaluation: Evaluation) -> Iterator[str]:
        for name, gate in self.figures.items():
            figure = evaluation.figures.get(name)
            if figure is None or figure.value is None:
                yield f"{name} was not measured."
                continue
            yield from _beyond(name, figure.value, "", low=gate.minimum, high=gate.maximum)
            if gate.above_floor is None and gate.below_floor is None:
                continue
            if figure.floor is None:
                yield f"{name} has no floor to compare with."
                continue
            low = -gate.below_floor if gate.below_floor is not None else None
            gap = figure.value - figure.floor
            yield from _beyond(name, gap, " less its floor", low=low, high=gate.above_floor)

    def _headlines(self, evaluation: Evaluation) -> Iterator[str]:
        answers = {headline.name: headline for headline in evaluation.headlines}
        named = set(self.headlines.quiet)
        for name in self.headlines.quiet:
            if name not in answers or answers[name].answer == "not measured":
                yield f"the headline {name} was not measured."
        for headline in evaluation.alarms:
            if headline.name in named or self.headlines.all_quiet:
                yield f"the headline {headline.name} alarms: {headline.words}"


def _beyond(
    name: str, value: float, what: str, *, low: float | None, high: float | None
) -> Iterator[str]:
    if low is not None and value < low:
        yield f"{name}{what} is {value:.6g}, {low - value:.3g} below its minimum of {low:g}."
    if high is not None and value > high:
        yield f"{name}{what} is {value:.6g}, {value - high:.3g} above its maximum of {high:g}."
