"""Where a fitted model comes from, and what of the data it holds."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

from llmsynth.bundle.owner import keyed_hash
from llmsynth.schema.columns import (
    CategoryColumn,
    DateColumn,
    DatetimeColumn,
    IdentifierColumn,
    NumberColumn,
    TextColumn,
)
from llmsynth.schema.constraints import in_words
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.preparation import Prepared

if TYPE_CHECKING:
    from llmsynth.synthesizers.synthesizer import Synthesizer

_TEXT_WARNING = (
    " Free text is learned as it is, names and numbers in it included; the guard against copies "
    "holds back long spans only."
)
_PACKAGES = ("llmsynth", "torch", "transformers", "pyarrow", "numpy")


def provenance(synthesizer: Synthesizer, prepared: Prepared, key: bytes) -> dict[str, object]:
    """The record that goes into `provenance.json`, JSON-ready.

    Args:
        key: of the table's hash; a plain one would confirm a guessed row to whoever has the record.
    """
    return {
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "data": {
            "hmac_sha256": keyed_hash(key, prepared.data_hash),
            "rows": len(prepared.codes),
            "columns": len(prepared.language.codes),
            "dropped_text": list(prepared.dropped_text),
            "gaps_left_out": prepared.is_to_fill,
        },
        "versions": {package: version(package) for package in _PACKAGES},
        "settings": {
            "model": synthesizer.model,
            "target": synthesizer.target,
            "seed": synthesizer.seed,
            "max_minutes": synthesizer.max_minutes,
            "max_epochs": synthesizer.max_epochs,
            "keep_rare": synthesizer.keep_rare,
        },
        "model": synthesizer.learner_.facts(),
        "training": {name: _known(value) for name, value in asdict(synthesizer.training_).items()},
        "fit_seconds": round(synthesizer.fit_seconds_, 2),
        "protected": prepared.protected.counts() if not synthesizer.keep_rare else None,
        "rules": _rules(prepared),
        "texts": _texts(synthesizer, prepared),
        "holds_of_the_data": held(prepared.language.schema),
        "privacy": "No differential privacy: `protected` says which release rule was applied."
        + (_TEXT_WARNING if _has_text(prepared.language.schema) else ""),
    }


def _rules(prepared: Prepared) -> dict[str, object]:
    """Rules that every row keeps, whether declared or found, and those that few rows break."""
    found = prepared.rules
    near = () if found is None else found.near
    return {
        "kept": [in_words(constraint) for constraint in prepared.language.schema.constraints],
        "found": 0 if found is None else len(found.exact),
        "proposed": [
            {"rule": in_words(one.constraint), "exceptions": one.exceptions} for one in near
        ],
        "not_looked_for": "as only declared rules count" if found is None else found.skipped,
    }


def _texts(synthesizer: Synthesizer, prepared: Prepared) -> dict[str, object]:
    """By column: what was spelled, and how often drawn texts were rare training texts."""
    if prepared.texts is None:
        return {}
    rates = getattr(synthesizer.learner_, "copy_rates", {})
    return {
        name: {
            **own,
            **({"copies_drawn": round(rates[name].drawn, 4)} if name in rates else {}),
        }
        for name, own in prepared.texts.to_json().items()
    }


def _has_text(schema: TableSchema) -> bool:
    return any(isinstance(column, TextColumn) for column in schema.columns)


def _known(value: object) -> object:
    """None for a number that is none: JSON has no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def held(schema: TableSchema) -> dict[str, object]:
    """What schema and vocabulary take from the data, by column."""
    out: dict[str, object] = {}
    for column in schema.columns:
        match column:
            case CategoryColumn():
                out[column.name] = {"categories": len(column.categories)}
            case NumberColumn():
                words = {"words": len(column.words)} if column.words else {}
                out[column.name] = {
                    "bounds": [column.minimum, column.maximum],
                    "frequent_values": len(column.frequent),
                    **words,
                }
            case DateColumn() | DatetimeColumn():
                out[column.name] = {"bounds": [column.minimum, column.maximum]}
            case TextColumn():
                spelled = {"common_texts": len(column.common), "pieces": len(column.pieces)}
                kept = {name: count for name, count in spelled.items() if count}
                out[column.name] = {"maximum_length": column.maximum_length, **kept}
            case IdentifierColumn():
                out[column.name] = {"pattern": column.pattern}
    return out
