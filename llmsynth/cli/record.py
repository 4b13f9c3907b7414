"""The record of a fit, `provenance.json`, in words a person reads."""

from __future__ import annotations

import math
from collections.abc import Mapping

from llmsynth.cli.declared_personal import left_lines

Record = Mapping[str, object]

_TEXT_CHANGES = {
    "cells_cut": "cut to that at a word's end",
    "cells_respelled": "without a character that too few hold",
    "cells_left_out": "not learned, as most of their characters are held by too few",
    "would_have_been_emptied": "of rare categories, which are spelled instead of emptied",
}


def learned_lines(record: Record) -> list[str]:
    """What was learned, how long it took, how well it went, and what was held back."""
    data, training = part(record, "data"), part(record, "training")
    lines = [
        *too_little_lines(record),
        f"Learned {_count(data, 'rows')} rows of {_count(data, 'columns')} columns in "
        f"{_decimal(record, 'fit_seconds', 1)} seconds: {_decimal(training, 'epochs', 1)} epochs, "
        f"{_count(part(record, 'model'), 'parameters')} parameters.",
        f"{_held_out(training)}; training ended {_ending(training)}.",
        protected_line(record),
    ]
    lines += target_lines(record)
    lines += personal_lines(record)
    lines += text_lines(record)
    lines += rule_lines(record)
    if dropped := data.get("dropped_text"):
        lines.append(f"Left out as free text: {_listed(dropped)}.")
    return lines


def protected_line(record: Record) -> str:
    """What the release rule kept out of the synthesizer."""
    if ledger := part(record, "differential_privacy"):
        spent, unit = part(ledger, "spent"), part(ledger, "unit")
        return (
            f"Differential privacy for one {unit.get('is')}: epsilon "
            f"{_decimal(spent, 'epsilon', 3)} at delta {spent.get('delta')}."
        )
    if record.get("protected") is None:
        return "Protected: nothing; rare values were learned, too."
    protected = part(record, "protected")
    categories, cells, extremes = (
        part(protected, name) for name in ("categories", "cells_left_out", "extreme_cells")
    )
    found = [
        f"{_total(categories)} rare categories in {_total(cells)} cells{_by_column(categories)}"
        if categories
        else "",
        f"{_total(extremes)} extreme values brought inside the bounds{_by_column(extremes)}"
        if extremes
        else "",
    ]
    told = "; ".join(text for text in found if text)
    return f"Protected: {told or 'nothing had to be; no value is rare'}."


def personal_lines(record: Record) -> list[str]:
    """Which personal data was replaced before the fit; nothing where there was none."""
    found = part(part(record, "personal_data"), "replaced")
    told = [
        f"{name} ({part(found, name).get('kind')}, {_count(part(found, name), 'values')} different)"
        for name in found
    ]
    left = part(part(record, "personal_data"), "left")
    lines = left_lines(
        [(n, str(part(left, n).get("kind")), str(part(left, n).get("why"))) for n in left]
    )
    if told:
        lines.insert(0, f"Personal data replaced before learning: {'; '.join(told)}.")
    return lines


def text_lines(record: Record) -> list[str]:
    """Which columns are spelled in pieces, and whose cells were changed for it."""
    found = part(record, "texts")
    told = []
    for name in found:
        own = part(found, name)
        changes = [
            f"{_count(own, key)} cells {words}"
            for key, words in _TEXT_CHANGES.items()
            if own.get(key)
        ]
        most = f"{_count(own, 'slots')} pieces at most"
        told.append(f"{name} ({', '.join([most, *changes])})")
    if not told:
        return []
    return [f"Texts learned in pieces, under their rows: {'; '.join(told)}."]


_SHOWN_RULES = 8


def rule_lines(record: Record) -> list[str]:
    """Which rules every row keeps, and which were found that a few rows break."""
    rules = part(record, "rules")
    kept, near = rules.get("kept"), rules.get("proposed")
    lines = []
    if isinstance(kept, list) and kept:
        found = f", {_count(rules, 'found')} of them found" if rules.get("found") else ""
        lines.append(
            f"Rules kept in every row ({len(kept)}{found}; --no-rules looks for none): "
            f"{_some(kept)}."
        )
    if isinstance(near, list) and near:
        broken = [f"{one['rule']} (but for {one['exceptions']} rows)" for one in near]
        lines.append(f"Nearly rules, not kept unless the schema declares them: {_some(broken, 3)}.")
    return lines


def _some(words: list[str], most: int = _SHOWN_RULES) -> str:
    more = len(words) - most
    return "; ".join(words[:most]) + (f"; and {more} more" if more > 0 else "")


def too_little_lines(record: Record) -> list[str]:
    """That a time limit came before much was learned; nothing where enough was."""
    training = part(record, "training")
    if training.get("trained", "enough") == "enough":
        return []
    return [
        f"TOO LITTLE LEARNED: the time limit came after {_count(training, 'steps')} steps, "
        f"{_decimal(training, 'epochs', 2)} passes over the rows. Rows of this model keep little "
        "more than each column by itself: give more --max-minutes, or fewer rows or columns."
    ]


def target_lines(record: Record) -> list[str]:
    """How the target was taught, and that its shares were set to the table's."""
    told = part(part(record, "training"), "target")
    if not told:
        return []
    column, lines = told.get("column"), []
    if told.get("teacher_loss") is not None:
        compared = (
            f"{_decimal(told, 'teacher_loss', 3)} by boosting, {_decimal(told, 'model_loss', 3)} "
            f"by the model, on {_count(told, 'held_out_rows')} held-out rows"
        )
        done = "was taught boosting's answers" if told.get("taught") else "keeps its own"
        lines.append(f"Target {column}: loss {compared}; the model {done}.")
    if told.get("rows_drawn"):
        shares = part(told, "shares")
        off = [
            f"{value} {_decimal(part(shares, value), 'before', 4)}"
            f" to {_decimal(part(shares, value), 'after', 4)}"
            for value in shares
        ]
        lines.append(f"Shares of {column} in new rows set to the table's: {', '.join(off)}.")
    return lines


def is_partial(record: Record) -> bool:
    """Whether Ctrl-C ended the fit."""
    return part(record, "training").get("stopped") == "interrupted"


def part(record: Record, name: str) -> Record:
    """A nested object of the record; empty where there is none."""
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def _held_out(training: Record) -> str:
    if training.get("held_out_loss") is None:
        return "No rows were held out"
    return f"Held-out loss {_decimal(training, 'held_out_loss', 3)} nats a row"


def _ending(training: Record) -> str:
    endings = {
        "schedule": "as planned",
        "early": "early, as the loss fell no further",
        "interrupted": "at Ctrl-C",
    }
    return endings.get(str(training.get("stopped")), "in a way that is not known")


def _by_column(counts: Record) -> str:
    return f" ({', '.join(f'{name} {count}' for name, count in counts.items())})"


def _total(counts: Record) -> str:
    return f"{sum(count for count in counts.values() if isinstance(count, int)):,}"


def _listed(names: object) -> str:
    return ", ".join(map(str, names)) if isinstance(names, list | tuple) else str(names)


def _count(record: Record, name: str) -> str:
    value = record.get(name)
    return f"{value:,}" if isinstance(value, int) else "an unknown number of"


def _decimal(record: Record, name: str, digits: int) -> str:
    value = record.get(name)
    known = isinstance(value, int | float) and math.isfinite(value)
    return f"{value:,.{digits}f}" if known else "unknown"
