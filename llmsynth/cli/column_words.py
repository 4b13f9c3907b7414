"""A column of a schema in a few words."""

from __future__ import annotations

from decimal import Decimal

from llmsynth.schema import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    IdentifierColumn,
    NumberColumn,
)

_MOST_CATEGORIES = 12
_MOST_CHARACTERS = 24


def column_row(column: Column) -> tuple[str, str, str, str]:
    """Name, kind, whether cells may be missing, and which values there are."""
    return column.name, column.kind, "yes" if column.nullable else "no", _values(column)


def _values(column: Column) -> str:
    match column:
        case CategoryColumn(categories=categories):
            return _categories(categories)
        case NumberColumn(scale=scale):
            grid = f" in steps of {Decimal(1).scaleb(-scale):f}"
            return f"{column.minimum} to {column.maximum}{grid}"
        case DateColumn() | DatetimeColumn():
            return f"{column.minimum} to {column.maximum}"
        case BooleanColumn():
            return f"{column.true_text}, {column.false_text}"
        case IdentifierColumn():
            return f"invented in the pattern {column.pattern}"
    return ""


def _categories(categories: tuple[str, ...]) -> str:
    if not categories:
        return "none"
    shown = ", ".join(_shortened(text) for text in categories[:_MOST_CATEGORIES])
    more = len(categories) - _MOST_CATEGORIES
    return f"{len(categories)}: {shown}{', ...' if more > 0 else ''}"


def _shortened(text: str) -> str:
    shown = text if text and text.isprintable() and text == text.strip() else repr(text)
    return shown if len(shown) <= _MOST_CHARACTERS else f"{shown[: _MOST_CHARACTERS - 3]}..."
