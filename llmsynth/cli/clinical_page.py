"""The page of the clinical example: filled from its record alone, so no number is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import jinja2


def clinical_page(record: Mapping[str, object]) -> str:
    """The record that `llmsynth demo --clinical` writes, as one page of HTML without scripts."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
    environment.filters |= {"percent": _percent, "number": _number}
    source = files("llmsynth.cli").joinpath("clinical.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(**record)


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _number(value: float | None) -> str:
    if value is None:
        return "not defined"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
