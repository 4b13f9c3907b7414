"""A table's schema: its columns in order and the rules between them, as JSON and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from llmsynth.errors import SchemaError
from llmsynth.schema.columns import Column, NumberColumn, column_from_json
from llmsynth.schema.constraints import (
    Constraint,
    Inequality,
    Sum,
    constraint_from_json,
    constraint_to_json,
)

FORMAT = "llmsynth-schema-1"
_FIELDS = ("format", "columns", "constraints")


@dataclass(frozen=True, kw_only=True)
class TableSchema:
    """Ordered columns, and the declared constraints between them."""

    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        if not self.columns:
            raise SchemaError("A schema needs at least one column; it has none.")
        seen: set[str] = set()
        for column in self.columns:
            if column.name in seen:
                raise SchemaError(f"Column names must differ; {column.name!r} is used twice.")
            seen.add(column.name)
        for constraint in self.constraints:
            self._check(constraint)

    def _check(self, constraint: Constraint) -> None:
        for name in constraint.columns:
            if name not in self.names:
                raise SchemaError(
                    f"Constraint {constraint.kind} names the unknown column {name!r}."
                )
        if isinstance(constraint, Sum):
            for name in constraint.columns:
                column = self.column(name)
                if not isinstance(column, NumberColumn) or column.storage == "string":
                    raise SchemaError(f"Constraint sum needs numbers; {name!r} is not one.")
        if isinstance(constraint, Inequality):
            low, high = self.column(constraint.low), self.column(constraint.high)
            is_text = "string" in (low.storage, high.storage)
            if low.kind != high.kind or low.kind not in ("number", "date", "datetime") or is_text:
                raise SchemaError(
                    "Constraint inequality compares two numbers, dates or datetimes; "
                    f"{low.name!r} is {low.kind} and {high.name!r} is {high.kind}."
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`.

        Raises:
            SchemaError: no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"No column {name!r}; there are {', '.join(map(repr, self.names))}.")

    def without(self, names: Iterable[str]) -> TableSchema:
        """The schema less some columns and every constraint that names them."""
        gone = set(names)
        return replace(
            self,
            columns=tuple(c for c in self.columns if c.name not in gone),
            constraints=tuple(c for c in self.constraints if not gone & set(c.columns)),
        )

    def with_column(self, column: Column) -> TableSchema:
        """The schema with the column of the same name replaced."""
        columns = tuple(column if c.name == column.name else c for c in self.columns)
        return replace(self, columns=columns)

    def to_json(self) -> str:
        """The schema as indented JSON text."""
        data = {
            "format": FORMAT,
            "columns": [column.to_json() for column in self.columns],
            "constraints": [constraint_to_json(c) for c in self.constraints],
        }
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> TableSchema:
        """Read a schema back from `to_json` output, possibly corrected by a person.

        Raises:
            SchemaError: not JSON, or not a schema; the message names the place.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise SchemaError(f"The schema is not JSON: {error}.") from error
        if not isinstance(data, Mapping) or not isinstance(data.get("columns"), list):
            raise SchemaError("A schema is a JSON object with a list `columns`.")
        for key in data:
            if key not in _FIELDS:
                raise SchemaError(
                    f"A schema has no field {key!r}; there are {', '.join(_FIELDS)}.",
                    hint="Correct its spelling, or take it out.",
                )
        if data.get("format", FORMAT) != FORMAT:
            raise SchemaError(f"Expected format {FORMAT!r}, got {data['format']!r}.")
        return cls(
            columns=tuple(column_from_json(_object(c)) for c in data["columns"]),
            constraints=tuple(
                constraint_from_json(_object(c)) for c in data.get("constraints", [])
            ),
        )

    @classmethod
    def read(cls, path: str | Path) -> TableSchema:
        """Read a schema from a JSON file."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SchemaError(f"Cannot read the schema file {path}: {error}.") from error


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise SchemaError(f"Expected a JSON object in the schema, got {value!r}.")
    return value
