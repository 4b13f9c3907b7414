"""Rules between columns, declared or found in the table, that every synthetic row must keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
class Computed:
    """`column` follows from `parts` by a formula in every row where all of them are present.

    Formulas, with `a`, `b` for the parts and `x`, `y` for the arguments:

    * `product`: a * b * ...; `ratio`: x * a / b; `linear`: x * a + y;
    * `days`: whole days from a to b; `age`: full years from a to b, or to the day x;
    * `year`, `month`, `day`, `weekday` (Monday 0), `quarter`, `hour`, `day_of_year`: of a, plus x;
    * `is_weekend`: 1 on Saturdays and Sundays of a, 0 on other days.

    What comes out is rounded to `decimals`.
    """

    kind: ClassVar[str] = "computed"

    column: str
    formula: str
    parts: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    """Exact decimal texts, or an ISO day."""
    decimals: int = 0

    def __post_init__(self) -> None:
        known = FORMULAS.get(self.formula)
        if known is None:
            raise SchemaError(
                f"Constraint computed: formula must be one of {', '.join(FORMULAS)}, "
                f"got {self.formula!r}."
            )
        parts, arguments = known
        if len(self.parts) not in parts or len(self.arguments) not in arguments:
            raise SchemaError(
                f"Constraint computed of {self.column!r}: {self.formula} takes "
                f"{_counts(parts)} parts and {_counts(arguments)} arguments, got "
                f"{len(self.parts)} and {len(self.arguments)}."
            )
        if self.column in self.parts:
            raise SchemaError(f"Constraint computed: {self.column!r} is a part of itself.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.parts, self.column)


FORMULAS: Mapping[str, tuple[Sequence[int], Sequence[int]]] = {
    "product": (range(2, 9), (0,)),
    "ratio": ((2,), (0, 1)),
    "linear": ((1,), (2,)),
    "days": ((2,), (0,)),
    "age": ((1, 2), (0, 1)),
    **dict.fromkeys(
        ("year", "month", "day", "weekday", "quarter", "hour", "day_of_year"), ((1,), (0, 1))
    ),
    "is_weekend": ((1,), (0,)),
}
"""How many parts and arguments each formula takes."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """`column` is one and the same for all rows that share a `key`."""

    kind: ClassVar[str] = "lookup"

    key: str
    column: str
    entries: tuple[tuple[str | None, str | None], ...] = ()
    """Pairs of cell texts, key and column (None: missing); filled in from the table at fit."""

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.key, self.column)


@dataclass(frozen=True, kw_only=True)
class ConstantWhen:
    """`column` is `value` in every row whose `when` is `equals` (cell texts; None: missing)."""

    kind: ClassVar[str] = "constant_when"

    column: str
    value: str | None
    when: str
    equals: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, self.when)


@dataclass(frozen=True, kw_only=True)
class MissingExactlyWhen:
    """`column` is missing exactly when `when` equals `equals` (as cell text; None: missing)."""

    kind: ClassVar[str] = "missing_exactly_when"

    column: str
    when: str
    equals: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, self.when)


Constraint = (
    Inequality | FixedCombinations | Sum | Computed | Lookup | ConstantWhen | MissingExactlyWhen
)

CONSTRAINTS: Mapping[str, type[Constraint]] = {
    cls.kind: cls
    for cls in (
        Inequality,
        FixedCombinations,
        Sum,
        Computed,
        Lookup,
        ConstantWhen,
        MissingExactlyWhen,
    )
}


def in_words(constraint: Constraint) -> str:
    """The rule as a person would say it.

    Example:
        >>> in_words(Inequality(low="start", high="end"))
        'start <= end'
    """
    match constraint:
        case Inequality(low=low, high=high, strict=strict):
            return f"{low} {'<' if strict else '<='} {high}"
        case FixedCombinations(columns=columns):
            return f"known combinations of {', '.join(columns)}"
        case Sum(parts=parts, total=total):
            return f"{' + '.join(parts)} = {total}"
        case Computed(column=column, formula=formula, parts=parts, arguments=arguments):
            return f"{column} = {formula} of {', '.join([*parts, *arguments])}"
        case Lookup(key=key, column=column):
            return f"{key} fixes {column}"
        case ConstantWhen(column=column, value=value, when=when, equals=equals):
            return f"{column} is {_cell(value)} when {when} is {_cell(equals)}"
        case MissingExactlyWhen(column=column, when=when, equals=equals):
            return f"{column} is missing exactly when {when} is {_cell(equals)}"


def _cell(text: str | None) -> str:
    return "missing" if text is None else text


def _counts(numbers: Sequence[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 2 else " or ".join(map(str, numbers))


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
