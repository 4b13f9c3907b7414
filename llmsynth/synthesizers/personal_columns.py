"""Personal data on its way into a fit: found, then replaced, kept or refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import SchemaError, SettingsError, TableError
from llmsynth.personal_data.detection import (
    LEARNED_AS_THEY_ARE,
    Findings,
    PersonalColumn,
    examine,
)
from llmsynth.personal_data.invented_people import INVENTED, Invented, form_of
from llmsynth.personal_data.kinds import Kind
from llmsynth.personal_data.pseudonyms import Pseudonyms
from llmsynth.personal_data.replacement import declared_personal, replaced
from llmsynth.privacy.rare_values import DEFAULT_FLOOR
from llmsynth.schema.columns import CategoryColumn, Column, IdentifierColumn, TextColumn
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema

PersonalData = Literal["replace", "keep", "refuse"]
CHOICES: tuple[PersonalData, ...] = ("replace", "keep", "refuse")


@dataclass(frozen=True, kw_only=True)
class Unpersonal:
    """A table as it may be learned."""

    table: pa.Table
    schema: TableSchema
    record: dict[str, object]
    """Counts by column, for the provenance; no value of anybody."""


def checked_choice(choice: str) -> PersonalData:
    """The choice, if it is one.

    Raises:
        SettingsError: it is none.
    """
    for known in CHOICES:
        if choice == known:
            return known
    raise SettingsError(f"personal_data must be one of {', '.join(CHOICES)}, got {choice!r}.")


def without_personal_data(
    table: pa.Table,
    schema: TableSchema | None,
    *,
    choice: PersonalData,
    target: str | None,
    fixed: Collection[str],
    search_texts: bool,
    seed: int,
    invent: bool = False,
    declared: Mapping[str, str] | None = None,
) -> Unpersonal:
    """Replace what a model must not learn as it is: names, addresses, numbers of people.

    Columns that the schema re-invents anyway (identifiers) need nothing.

    Args:
        fixed: columns to leave alone, besides the target.
        search_texts: look inside free-text columns, too.
        invent: leave only the form of names, e-mail and street addresses in the table, whose
            people are made up for every new row.
        declared: column to kind of personal data or "none"; goes before the schema's own fields.

    Raises:
        TableError: personal data, and the choice is to refuse it.
        SchemaError: a declared constraint names a column that would have to change.
    """
    schema = schema or infer_schema(table, target=target)
    if choice == "keep":
        return Unpersonal(table=table, schema=schema, record={"choice": choice})
    said = declared_personal(schema, table.column_names) | dict(declared or {})
    seen = examine(table, declared=said)
    found = _to_replace(seen, schema, {*fixed, *([target] if target else [])})
    left = _left(seen, {column.name for column in found}, schema)
    if choice == "refuse":
        _refuse(found)
        return Unpersonal(table=table, schema=schema, record={"choice": choice})
    names = {column.name for column in found}
    for constraint in schema.constraints:
        if taken := names & set(constraint.columns):
            raise SchemaError(
                f"Constraint {constraint.kind} names {min(taken)!r}, which holds personal data and "
                "would be replaced.",
                hint="Take the constraint out, or learn the data as it is (personal_data='keep').",
            )
    texts = [
        c.name
        for c in schema.columns
        if search_texts
        and isinstance(c, TextColumn)
        and c.name in table.column_names
        and c.name not in names
        and pa.types.is_string(table[c.name].type)
    ]
    kinds = {column.name: column.kind for column in found}
    done = replaced(table, kinds, texts, Pseudonyms(seed))
    new = done.table
    for name in names:
        old, kind = schema.column(name), _invented(kinds[name]) if invent else None
        column: Column = replace(
            infer_schema(done.table.select([name])).column(name),
            description=old.description,
            personal=kinds[name],
        )
        is_text = pa.types.is_string(table[name].type)
        if kind is not None and is_text and not _repeats(column, table[name]):
            forms = _forms(table[name], kind)
            new = new.set_column(new.column_names.index(name), name, forms)
            column = TextColumn(
                name=name,
                nullable=old.nullable or forms.null_count > 0,
                description=old.description,
                personal=kind,
                invented=kind,
            )
        schema = schema.with_column(column)
    record: dict[str, object] = {"choice": choice, "replaced": done.to_json()}
    if left:
        record["left"] = left
    return Unpersonal(
        table=new,
        schema=schema,
        record=record,
    )


_REPEATED_SHARE = 0.95
"""Share of a column's cells whose people have five rows or more: pseudonyms of fewer rows would be
held back as rare, and the column be spelled letter by letter instead."""


def _repeats(column: Column, cells: pa.ChunkedArray) -> bool:
    """Whether a few people have many rows each, which pseudonyms keep together."""
    if not isinstance(column, CategoryColumn):
        return False
    counts = pc.value_counts(cells.drop_null()).field("counts").to_numpy()
    return bool(counts[counts >= DEFAULT_FLOOR].sum() >= _REPEATED_SHARE * counts.sum())


def _invented(kind: Kind) -> Invented | None:
    return next((known for known in INVENTED if known == kind), None)


def _forms(cells: pa.ChunkedArray, kind: Invented) -> pa.Array:
    """The column with marks in place of what tells who a cell is about."""
    coded = cells.combine_chunks().dictionary_encode()
    forms = [form_of(kind, text) for text in coded.dictionary.to_pylist()]
    return pa.array(forms, pa.string()).take(coded.indices)


def _left(
    seen: Findings, replaced: Collection[str], schema: TableSchema
) -> dict[str, dict[str, str]]:
    """What looks personal and is learned as it is, with the reason."""
    out = {c.name: {"kind": c.kind, "why": c.why} for c in seen.left}
    for column in seen.found:
        if column.name in replaced or column.name not in schema.names:
            continue
        if isinstance(schema.column(column.name), IdentifierColumn):
            continue
        is_quantity = column.kind in LEARNED_AS_THEY_ARE
        why = "learned as a quantity" if is_quantity else "the target, or given as it is"
        out[column.name] = {"kind": column.kind, "why": why}
    return out


def _to_replace(
    seen: Findings, schema: TableSchema, fixed: Collection[str]
) -> list[PersonalColumn]:
    known = set(schema.names) - set(fixed)
    return [
        column
        for column in seen.found
        if column.name in known
        and column.kind not in LEARNED_AS_THEY_ARE
        and not isinstance(schema.column(column.name), IdentifierColumn)
    ]


def _refuse(found: Collection[PersonalColumn]) -> None:
    if found:
        listed = ", ".join(f"{column.name!r} ({column.kind})" for column in found)
        raise TableError(
            f"The table holds personal data in {listed}.",
            hint="Leave these columns out, or have them replaced (personal_data='replace').",
        )
