"""Rules between columns that a user declares and every synthetic row must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from llmsynth.errors import SchemaError


@dataclass(frozen=True, kw_only=True)
class Inequality:
    """`low <= high` in every row where both are present (`<` when strict)."""

    kind: ClassVar[str] = "inequality"

    low: str
    high: str
    strict: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class FixedCombinations:
    """Only combinations of these columns that the training table holds may appear."""

    kind: ClassVar[str] = "fixed_combinations"

    columns: tuple[str, ...]
    combinations: tuple[tuple[str | None, ...], ...] = ()
    """The allowed combinations as cell texts (None: missing); filled in from the table at fit."""


@dataclass(frozen=True, kw_only=True)
class Sum:
    """`total` is the sum of `parts` in every row where all are present."""

    kind: ClassVar[str] = "sum"

    parts: tuple[str, ...]
    total: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.parts, self.total)


@dataclass(frozen=True, kw_only=True)
class MissingExactlyWhen:
    """`column` is missing exactly when `when` equals `equals` (as cell text)."""

    kind: ClassVar[str] = "missing_exactly_when"

    column: str
    when: str
    equals: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, self.when)


Constraint = Inequality | FixedCombinations | Sum | MissingExactlyWhen

CONSTRAINTS: Mapping[str, type[Constraint]] = {
    cls.kind: cls for cls in (Inequality, FixedCombinations, Sum, MissingExactlyWhen)
}


def constraint_to_json(constraint: Constraint) -> dict[str, object]:
    """The constraint as JSON-ready values, its kind first."""
    return {"kind": constraint.kind, **asdict(constraint)}


def constraint_from_json(data: Mapping[str, object]) -> Constraint:
    """Build a constraint from `constraint_to_json` output.

    Raises:
        SchemaError: unknown kind or fields.
    """
    cls = CONSTRAINTS.get(str(data.get("kind")))
    if cls is None:
        raise SchemaError(
            f"A constraint's kind must be one of {', '.join(CONSTRAINTS)}, "
            f"got {data.get('kind')!r}."
        )
    values = {key: _frozen(value) for key, value in data.items() if key != "kind"}
    try:
        return cls(**values)  # type: ignore[arg-type]
    except TypeError as error:
        raise SchemaError(f"Constraint {cls.kind}: {error}.") from error


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
