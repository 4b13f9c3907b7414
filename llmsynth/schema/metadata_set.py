"""Tables that belong together: their files, primary keys and foreign keys, as JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from llmsynth.errors import SchemaError
from llmsynth.schema.table_schema import TableSchema

FORMAT = "llmsynth-set-1"


@dataclass(frozen=True, kw_only=True)
class SetTable:
    """One table of a set."""

    primary_key: str | None = None
    """Column that names its rows; a table that others point at needs one."""
    file: str | None = None
    """Its file, relative to the file of the set."""
    schema: TableSchema | None = None
    """What its columns hold; inferred where absent."""
    order_by: str | None = None
    """Number, date or moment that orders its rows under the parent of its first foreign key."""


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """A column that names rows of another table."""

    table: str
    column: str
    parent: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} -> {self.parent}"


@dataclass(frozen=True, kw_only=True)
class MetadataSet:
    """Tables by name, and the foreign keys between them.

    A table's first foreign key names the parent under which its rows are made; rows of its other
    parents are found for them afterwards.

    Raises:
        SchemaError: an unknown table, a parent without a primary key, a column that is two keys,
            tables that are each other's parents, or an order of rows that have no parent.
    """

    tables: Mapping[str, SetTable]
    foreign_keys: tuple[ForeignKey, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.tables:
            raise SchemaError("A set needs at least one table; it has none.")
        for link in self.foreign_keys:
            for name in (link.table, link.parent):
                if name not in self.tables:
                    raise SchemaError(
                        f"The foreign key {link} names the unknown table {name!r}; there are "
                        f"{', '.join(map(repr, self.tables))}."
                    )
            if self.tables[link.parent].primary_key is None:
                raise SchemaError(
                    f"The foreign key {link} points at a table without a primary key."
                )
            if link.column == self.tables[link.table].primary_key:
                raise SchemaError(f"{link}: the column is the primary key of {link.table!r}.")
        columns = [(link.table, link.column) for link in self.foreign_keys]
        if len(set(columns)) < len(columns):
            raise SchemaError("A column is named by two foreign keys.")
        for name, table in self.tables.items():
            if table.order_by is not None and not self.links_of(name):
                raise SchemaError(
                    f"Table {name!r} is ordered by {table.order_by!r}, and has no parent: rows are "
                    "ordered under the parent of their first foreign key.",
                    hint="Name its foreign key, or leave order_by out.",
                )
            if table.order_by in self.keys_of(name):
                raise SchemaError(
                    f"Table {name!r} is ordered by {table.order_by!r}, which is a key."
                )
        self.order()

    def links_of(self, table: str) -> tuple[ForeignKey, ...]:
        """The foreign keys of a table, in the order in which they were declared."""
        return tuple(link for link in self.foreign_keys if link.table == table)

    def children_of(self, table: str) -> tuple[ForeignKey, ...]:
        """The foreign keys that point at a table."""
        return tuple(link for link in self.foreign_keys if link.parent == table)

    def keys_of(self, table: str) -> list[str]:
        """Columns of a table that are keys: its own, then foreign ones."""
        own = self.tables[table].primary_key
        return [*([own] if own else []), *(link.column for link in self.links_of(table))]

    def order(self) -> tuple[str, ...]:
        """The tables, every parent before its children.

        Raises:
            SchemaError: tables that are each other's parents.
        """
        done: list[str] = []
        while len(done) < len(self.tables):
            ready = [
                name
                for name in self.tables
                if name not in done and all(link.parent in done for link in self.links_of(name))
            ]
            if not ready:
                left = ", ".join(repr(name) for name in self.tables if name not in done)
                raise SchemaError(
                    f"Each of {left} has another of them, or itself, as a parent.",
                    hint="Leave one of these foreign keys out.",
                )
            done += ready
        return tuple(done)

    def to_json(self) -> str:
        """The set as indented JSON text."""
        tables: dict[str, object] = {}
        for name, table in self.tables.items():
            given = {
                "primary_key": table.primary_key,
                "file": table.file,
                "order_by": table.order_by,
            }
            entry: dict[str, object] = {k: v for k, v in given.items() if v is not None}
            if table.schema is not None:
                entry["schema"] = json.loads(table.schema.to_json())
            tables[name] = entry
        links = [asdict(link) for link in self.foreign_keys]
        data = {"format": FORMAT, "tables": tables, "foreign_keys": links}
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a set from `to_json` output, or one written by hand.

        Raises:
            SchemaError: not JSON, or not a set; the message names the place.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise SchemaError(f"The set is not JSON: {error}.") from error
        if not isinstance(data, Mapping) or data.get("format", FORMAT) != FORMAT:
            raise SchemaError(f"A set is a JSON object of format {FORMAT!r}.")
        if unknown := sorted({*data} - {"format", "tables", "foreign_keys"}):
            raise SchemaError(
                f"A set has no field {unknown[0]!r}; there are format, tables, foreign_keys.",
                hint="Correct its spelling, or take it out.",
            )
        tables, links = data.get("tables"), data.get("foreign_keys", [])
        if not isinstance(tables, Mapping) or not isinstance(links, list):
            raise SchemaError("A set has an object `tables` and a list `foreign_keys`.")
        return cls(
            tables={str(name): _table(str(name), entry) for name, entry in tables.items()},
            foreign_keys=tuple(_link(entry) for entry in links),
        )

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a set from a JSON file."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SchemaError(f"Cannot read the set {path}: {error}.") from error


def _table(name: str, entry: object) -> SetTable:
    if not isinstance(entry, Mapping) or set(entry) - {"primary_key", "file", "schema", "order_by"}:
        raise SchemaError(
            f"Table {name!r} of the set: expected an object of primary_key, file, order_by and "
            f"schema, got {entry!r}."
        )
    for key in ("primary_key", "file", "order_by"):
        if not isinstance(entry.get(key), str | None):
            raise SchemaError(f"Table {name!r} of the set: {key} must be text.")
    schema = entry.get("schema")
    return SetTable(
        primary_key=entry.get("primary_key"),
        file=entry.get("file"),
        order_by=entry.get("order_by"),
        schema=None if schema is None else TableSchema.from_json(json.dumps(schema)),
    )


def _link(entry: object) -> ForeignKey:
    names = {"table", "column", "parent"}
    if not isinstance(entry, Mapping) or set(entry) != names:
        raise SchemaError(f"A foreign key is an object of table, column and parent, got {entry!r}.")
    if not all(isinstance(value, str) for value in entry.values()):
        raise SchemaError(f"A foreign key names texts, got {entry!r}.")
    return ForeignKey(table=entry["table"], column=entry["column"], parent=entry["parent"])
