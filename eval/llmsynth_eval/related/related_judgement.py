"""What was measured of tables that belong together: figures by part, as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Figure
from llmsynth_eval.text_table import figure_table

FORMAT = "llmsynth-related-judgement-1"


@dataclass(frozen=True, kw_only=True)
class Part:
    """The figures of one table, one link or one kind of group."""

    figures: tuple[Figure, ...] = ()
    tables: tuple[DetailTable, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, float | None]:
        """Value of every figure by its name."""
        return {figure.name: figure.value for figure in self.figures}


@dataclass(frozen=True, kw_only=True)
class RelatedJudgement:
    """Every figure of synthetic tables that belong together."""

    parts: Mapping[str, Part]

    def to_text(self) -> str:
        """An aligned table of figures a part, and its notes."""
        out = []
        for name, part in self.parts.items():
            notes = "".join(f"\nnote: {note}" for note in part.notes)
            out.append(f"{name}\n{figure_table(part.figures)}{notes}")
        return "\n\n".join(out) + "\n"

    def to_json(self) -> str:
        """The judgement as indented JSON text."""
        data = {"format": FORMAT, "parts": {n: asdict(part) for n, part in self.parts.items()}}
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
