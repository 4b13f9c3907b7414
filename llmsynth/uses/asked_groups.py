"""The forms in which a user may say which groups are to have which share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import ConditionError, SettingsError
from llmsynth.schema.table_schema import TableSchema
from llmsynth.uses.groups import Group, Range

AskedShares = Mapping[Any, Any] | Sequence[Group | Mapping[str, Any]]


def groups_of(
    target: AskedShares,
    table: pa.Table,
    schema: TableSchema,
) -> list[Group]:
    """Read the forms in which shares may be given.

    `{"fraud": 0.2}` is the rarer of a column's two values, `{"fraud": {"yes": 0.2}}` a value,
    `{("fraud", "amount"): {("yes", (1000, None)): 0.2}}` several together, a pair being a range;
    `[{"where": {"fraud": "yes", "amount": {"minimum": 1000}}, "share": 0.2}]` says the same.

    Raises:
        SettingsError: none of these, or shares of more than the whole.
        ConditionError: a column or cell that the schema cannot hold.
    """
    if isinstance(target, Mapping):
        groups = [group for key, value in target.items() for group in _group(key, value, table)]
    else:
        groups = [_from_parts(part) for part in target]
    if not groups:
        raise SettingsError("Rebalancing needs a group and its share; none was given.")
    total = sum(group.share for group in groups)
    if total > 1 + 1e-9:
        raise SettingsError(f"The groups' shares add up to {total:g}, which is more than 1.")
    _check_disjoint(groups, table, schema)
    return groups


def column_told(target: AskedShares) -> str | None:
    """The one column whose values tell every group, if there is one."""
    if not isinstance(target, Mapping):
        named = {name for part in target for name in _from_parts(part).where}
        has_ranges = any(_from_parts(part).ranges for part in target)
        return named.pop() if len(named) == 1 and not has_ranges else None
    keys = list(target)
    if len(keys) != 1 or not isinstance(keys[0], str):
        return None
    cells = target[keys[0]]
    has_ranges = isinstance(cells, Mapping) and any(isinstance(cell, tuple) for cell in cells)
    return None if has_ranges else keys[0]


def _group(key: object, value: object, table: pa.Table) -> Iterable[Group]:
    if isinstance(value, int | float) and isinstance(key, str):
        yield Group(where={key: _rarer(table, key)}, share=float(value))
        return
    if not isinstance(value, Mapping):
        raise SettingsError(f"Expected a share or a mapping of values to shares, got {value!r}.")
    columns = key if isinstance(key, tuple) else (key,)
    for cells, share in value.items():
        found = cells if isinstance(key, tuple) else (cells,)
        if len(found) != len(columns):
            raise SettingsError(f"{key!r} names {len(columns)} columns, {cells!r} is not as many.")
        where = {str(c): _value(v) for c, v in zip(columns, found, strict=True)}
        yield Group(where=where, share=float(share))


def _from_parts(part: Group | Mapping[str, Any]) -> Group:
    if isinstance(part, Group):
        return part
    where, share = part.get("where"), part.get("share")
    if not isinstance(where, Mapping) or not isinstance(share, int | float):
        raise SettingsError(f"A group needs `where` and `share`, got {dict(part)!r}.")
    return Group(where={str(k): _value(v) for k, v in where.items()}, share=float(share))


def _value(value: object) -> object:
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise SettingsError(f"A range is a pair (minimum, maximum), got {value!r}.")
        return Range(minimum=value[0], maximum=value[1])
    if isinstance(value, Mapping):
        if not set(value) <= {"minimum", "maximum"}:
            raise SettingsError(f"A range has `minimum` and `maximum`, got {dict(value)!r}.")
        return Range(minimum=value.get("minimum"), maximum=value.get("maximum"))
    return value


def _rarer(table: pa.Table, name: str) -> object:
    if name not in table.column_names:
        raise ConditionError(f"No column {name!r}; there are {_listed(table.column_names)}.")
    counts = table[name].drop_null().value_counts()
    if len(counts) != 2:
        raise SettingsError(
            f"Column {name!r} has {len(counts)} values, so its rarer one is not told by a share "
            "alone.",
            hint="Name the value: {column: {value: share}}.",
        )
    return counts[pc.index(counts.field(1), pc.min(counts.field(1))).as_py()]["values"].as_py()


def _check_disjoint(groups: Sequence[Group], table: pa.Table, schema: TableSchema) -> None:
    masks = [group.holds(table, schema) for group in groups]
    for n, mask in enumerate(masks):
        for m in range(n):
            if pc.any(pc.and_(mask, masks[m])).as_py():
                raise SettingsError(
                    f"Groups must not overlap; {groups[m].label} and {groups[n].label} do."
                )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
