"""A judgement: every figure of a synthetic table, as an object, JSON and plain text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from llmsynth.errors import InputError
from llmsynth_eval.figure import ColumnError, Figure, Interval, PairError
from llmsynth_eval.text_table import aligned, figure_table, number_text
from llmsynth_eval.verdict import verdict

FORMAT = "llmsynth-judgement-1"
WORST = 5


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What was measured of one synthetic table."""

    figures: tuple[Figure, ...]
    columns: tuple[ColumnError, ...] = ()
    """Shape error of every judged column, worst first."""
    pairs: tuple[PairError, ...] = ()
    """Trend error of every measured pair, worst first."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Row counts behind the figures."""
    left_out: tuple[str, ...] = ()
    """Identifier and text columns, which no figure covers."""
    notes: tuple[str, ...] = ()
    """Subsampling, left-out columns, repeated rows, figures that could not be measured."""

    @property
    def by_name(self) -> dict[str, Figure]:
        return {figure.name: figure for figure in self.figures}

    @property
    def values(self) -> dict[str, float | None]:
        return {figure.name: figure.value for figure in self.figures}

    @property
    def floors(self) -> dict[str, float | None]:
        return {figure.name: figure.floor for figure in self.figures}

    @property
    def intervals(self) -> dict[str, Interval | None]:
        return {figure.name: figure.interval for figure in self.figures}

    def verdict(self) -> str:
        """The figures in plain words, one sentence a line."""
        return verdict(self.by_name)

    def to_text(self) -> str:
        """An aligned table of the figures, the worst columns and pairs, the notes, the verdict."""
        parts = [figure_table(self.figures)]
        worst: list[tuple[str, str, str]] = [("worst columns and pairs", "error", "floor")]
        for column in self.columns[:WORST]:
            worst.append((column.name, number_text(column.error), number_text(column.floor)))
        for pair in self.pairs[:WORST]:
            name = f"{pair.first} x {pair.second}"
            worst.append((name, number_text(pair.error), number_text(pair.floor)))
        parts.append(aligned(worst))
        if self.notes:
            parts.append("\n".join(f"note: {note}" for note in self.notes))
        return "\n\n".join([*parts, self.verdict()]) + "\n"

    def to_json(self) -> str:
        """The judgement as indented JSON text."""
        data = {"format": FORMAT, **asdict(self)}
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Judgement:
        """Read a judgement back from `to_json` output.

        Raises:
            InputError: not JSON, or not a judgement of this format.
        """
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise InputError(f"Expected format {FORMAT!r}, got {data['format']!r}.")
            return cls(
                figures=tuple(_figure(item) for item in data["figures"]),
                columns=tuple(ColumnError(**item) for item in data["columns"]),
                pairs=tuple(PairError(**item) for item in data["pairs"]),
                counts={str(name): int(count) for name, count in data["counts"].items()},
                left_out=tuple(data["left_out"]),
                notes=tuple(data["notes"]),
            )
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise InputError(f"This is not a judgement in JSON: {error!r}.") from error


def _figure(data: Mapping[str, object]) -> Figure:
    values = dict(data)
    for name in ("interval", "floor_interval"):
        interval = values[name]
        values[name] = tuple(interval) if isinstance(interval, list) else None
    return Figure(**values)  # type: ignore[arg-type]
