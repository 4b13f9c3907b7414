"""A column of a schema in words for a language model: its kind, what it may hold, what it means."""

from __future__ import annotations

from dataclasses import dataclass

from llmsynth.schema.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    NumberColumn,
    TextColumn,
)

_MOST_CATEGORIES = 40


@dataclass(frozen=True, kw_only=True)
class ColumnLine:
    """What a prompt says of one column."""

    name: str
    words: str


def column_line(column: Column) -> ColumnLine:
    """The column's description if it has one, then its kind and values."""
    told = [column.description.strip().rstrip("."), _values(column)]
    if column.nullable:
        told.append("null where it is not known")
    return ColumnLine(name=column.name, words="; ".join(part for part in told if part))


def _values(column: Column) -> str:
    match column:
        case CategoryColumn(categories=categories):
            more = ", ..." if len(categories) > _MOST_CATEGORIES else ""
            return f"one of {', '.join(categories[:_MOST_CATEGORIES])}{more}"
        case BooleanColumn():
            return "true or false"
        case NumberColumn(scale=scale):
            kind = "number" if scale else "whole number"
            return f"{kind} from {column.minimum} to {column.maximum}"
        case DateColumn():
            return f"day from {column.minimum} to {column.maximum}"
        case DatetimeColumn():
            return f"moment from {column.minimum} to {column.maximum}"
        case TextColumn():
            return "text in quotes"
    return ""
