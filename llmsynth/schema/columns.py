"""What one column of a table may hold: its kind, and the bounds of that kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import ClassVar

from llmsynth.errors import SchemaError
from llmsynth.schema.number_spelling import Spelling, number_spelling
from llmsynth.schema.personal_kinds import declared_kind


@dataclass(frozen=True, kw_only=True)
class Column:
    """Fields that every kind of column has."""

    kind: ClassVar[str] = ""

    name: str
    """The column's name as the table has it; any non-empty text."""
    nullable: bool = False
    """Whether a cell may be missing."""
    storage: str = "string"
    """Arrow type of the column in memory and in Parquet, e.g. `int64`."""
    description: str = ""
    """What the column means, in words; used by prompted models."""
    personal: str = ""
    """Kind of personal data its cells are (`name`, `email`, ...), or `none`; found when empty."""

    def __post_init__(self) -> None:
        if not self.name:
            raise SchemaError("Every column needs a non-empty name; one is empty.")
        if self.personal:
            declared_kind(self.name, self.personal)

    def to_json(self) -> dict[str, object]:
        """The column as JSON-ready values; defaults are left out."""
        out: dict[str, object] = {"name": self.name, "kind": self.kind}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "name" and value != field.default:
                out[field.name] = list(value) if isinstance(value, tuple) else value
        return out


@dataclass(frozen=True, kw_only=True)
class NumberColumn(Column):
    """Numbers on a decimal grid: every value is a multiple of `10 ** -scale`."""

    kind: ClassVar[str] = "number"

    storage: str = "int64"
    scale: int = 0
    """Decimal places; 0 for whole numbers."""
    minimum: str = "0"
    """Smallest value, as exact decimal text."""
    maximum: str = "0"
    """Largest value, as exact decimal text."""
    fixed_scale: bool = False
    """Write every value with exactly `scale` decimals (1.50, not 1.5)."""
    trailing_zeros: int = 0
    """How many of the last digits (decimals included) are zero in every value."""
    frequent: tuple[str, ...] = ()
    """Values common enough to be learned as one unit each (spikes), as exact decimal text."""
    spelling: str = ""
    """How a CSV file spells a number, as a pattern such as `$#,##0.00`; plainly where empty."""
    words: tuple[str, ...] = ()
    """Texts that stand among the numbers, such as `N/A`, each learned as one unit; only where
    `storage` is `string`, whose cells are then texts in memory, too."""
    sentinels: tuple[str, ...] = ()
    """Values far outside `minimum` and `maximum` that stand for something else (-999), each
    learned as one unit; nothing is written between them and the bounds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.words and self.storage != "string":
            raise SchemaError(
                f"Column {self.name!r}: words among numbers need the storage string, got "
                f"{self.storage!r}.",
                hint='Set "storage": "string" in the schema.',
            )
        if len(set(self.words)) != len(self.words):
            raise SchemaError(f"Column {self.name!r}: a word is listed twice.")
        if self.spelling or self.storage == "string":
            self._check_words(number_spelling(self.spelling or "0.#"))
        if not 0 <= self.scale <= 400:
            raise SchemaError(f"Column {self.name!r}: scale must be 0 to 400, got {self.scale}.")
        if not 0 <= self.trailing_zeros <= 60:
            raise SchemaError(
                f"Column {self.name!r}: trailing_zeros must be 0 to 60, got {self.trailing_zeros}."
            )
        low, high = self.bounds
        if low > high:
            raise SchemaError(f"Column {self.name!r}: minimum {low} is above maximum {high}.")

    def _check_words(self, spelling: Spelling) -> None:
        for word in self.words:
            if spelling.read(word) is not None:
                raise SchemaError(f"Column {self.name!r}: the word {word!r} is a number.")

    @property
    def bounds(self) -> tuple[Decimal, Decimal]:
        """Smallest and largest value, exact."""
        return _decimal(self.name, self.minimum), _decimal(self.name, self.maximum)


@dataclass(frozen=True, kw_only=True)
class QuantityColumn(NumberColumn):
    """Times of day, durations, months, quarters, weeks: whole numbers behind a spelling.

    `minimum` and `maximum` count the finest unit that `spelling` writes; memory holds texts.
    """

    kind: ClassVar[str] = "quantity"

    storage: str = "string"
    spelling: str = "%H:%M:%S"


@dataclass(frozen=True, kw_only=True)
class CategoryColumn(Column):
    """One of a known list of texts; storage may be a number type holding codes."""

    kind: ClassVar[str] = "category"

    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.categories)) != len(self.categories):
            raise SchemaError(f"Column {self.name!r}: a category is listed twice.")


@dataclass(frozen=True, kw_only=True)
class BooleanColumn(Column):
    """True or false; `true_text` and `false_text` say how a CSV file spells them."""

    kind: ClassVar[str] = "boolean"

    storage: str = "bool"
    true_text: str = "true"
    false_text: str = "false"


@dataclass(frozen=True, kw_only=True)
class DateColumn(Column):
    """Calendar days between two bounds, both ISO 8601 text."""

    kind: ClassVar[str] = "date"

    storage: str = "date32[day]"
    minimum: str = "1970-01-01"
    maximum: str = "1970-01-01"
    format: str = "%Y-%m-%d"
    """How a CSV file spells a day, in strftime codes."""
    sentinels: tuple[str, ...] = ()
    """Values far outside `minimum` and `maximum` that stand for something else (9999-12-31), each
    learned as one unit; nothing is written between them and the bounds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.bounds
        if low > high:
            raise SchemaError(f"Column {self.name!r}: minimum {low} is after maximum {high}.")

    @property
    def bounds(self) -> tuple[dt.date, dt.date]:
        try:
            return dt.date.fromisoformat(self.minimum), dt.date.fromisoformat(self.maximum)
        except ValueError as error:
            raise SchemaError(f"Column {self.name!r}: bounds must be ISO days; {error}.") from error


@dataclass(frozen=True, kw_only=True)
class DatetimeColumn(Column):
    """Moments between two bounds, on a grid of `resolution`."""

    kind: ClassVar[str] = "datetime"

    RESOLUTIONS: ClassVar[tuple[str, ...]] = ("minute", "second", "millisecond", "microsecond")

    storage: str = "timestamp[us]"
    """`timestamp[us]` for local clock times, `timestamp[us, tz=...]` where a zone is known."""
    minimum: str = "1970-01-01T00:00:00"
    """Smallest moment, ISO 8601 without offset, in UTC where `storage` has a zone."""
    maximum: str = "1970-01-01T00:00:00"
    resolution: str = "second"
    format: str = "%Y-%m-%dT%H:%M:%S"
    """How a CSV file spells a moment, in strftime codes; `%z` where it carries an offset."""
    sentinels: tuple[str, ...] = ()
    """Moments far outside `minimum` and `maximum` that stand for something else, each learned as
    one unit; nothing is written between them and the bounds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution not in self.RESOLUTIONS:
            raise SchemaError(
                f"Column {self.name!r}: resolution must be one of {', '.join(self.RESOLUTIONS)}, "
                f"got {self.resolution!r}."
            )
        low, high = self.bounds
        if low > high:
            raise SchemaError(f"Column {self.name!r}: minimum {low} is after maximum {high}.")

    @property
    def bounds(self) -> tuple[dt.datetime, dt.datetime]:
        try:
            return dt.datetime.fromisoformat(self.minimum), dt.datetime.fromisoformat(self.maximum)
        except ValueError as error:
            raise SchemaError(
                f"Column {self.name!r}: bounds must be ISO moments; {error}."
            ) from error


@dataclass(frozen=True, kw_only=True)
class IdentifierColumn(Column):
    """Names of rows: re-invented in their pattern, never learned or replayed."""

    kind: ClassVar[str] = "identifier"

    pattern: str = r"\d{8}"
    """Regular expression made of literals, classes such as `[A-Z]` or `\\d`, and counts."""
    unique: bool = True


@dataclass(frozen=True, kw_only=True)
class TextColumn(Column):
    """Free text up to `maximum_length` characters.

    With `pieces`, the compact model spells it: a common text is one token, any other a sequence of
    at most `maximum_pieces` of them. Both lists are made from the table when it is learned.
    """

    kind: ClassVar[str] = "text"

    maximum_length: int = 4096
    common: tuple[str, ...] = ()
    """Whole texts that are one token each."""
    pieces: tuple[str, ...] = ()
    """Characters and runs of characters that other texts are spelled with."""
    maximum_pieces: int = 0
    invented: str = ""
    """`name`, `email` or `address` where only the form of people's data is learned, and the people
    are made up for every row."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.pieces) != (self.maximum_pieces > 0):
            raise SchemaError(
                f"Column {self.name!r}: pieces and maximum_pieces are given together, and "
                f"maximum_pieces is above 0; got {len(self.pieces)} and {self.maximum_pieces}."
            )
        if "" in self.pieces or len(set(self.pieces)) != len(self.pieces):
            raise SchemaError(f"Column {self.name!r}: pieces must differ and not be empty.")
        if len(set(self.common)) != len(self.common):
            raise SchemaError(f"Column {self.name!r}: a common text is listed twice.")


KINDS: Mapping[str, type[Column]] = {
    cls.kind: cls
    for cls in (
        NumberColumn,
        QuantityColumn,
        CategoryColumn,
        BooleanColumn,
        DateColumn,
        DatetimeColumn,
        IdentifierColumn,
        TextColumn,
    )
}


def column_from_json(data: Mapping[str, object]) -> Column:
    """Build a column from `Column.to_json` output.

    Raises:
        SchemaError: unknown kind, unknown field, or a value of the wrong type.
    """
    name = data.get("name")
    cls = KINDS.get(str(data.get("kind")))
    if cls is None:
        raise SchemaError(
            f"Column {name!r}: kind must be one of {', '.join(KINDS)}, got {data.get('kind')!r}."
        )
    known = {field.name: field for field in fields(cls)}
    values: dict[str, object] = {}
    for key, value in data.items():
        if key == "kind":
            continue
        if key not in known:
            raise SchemaError(f"Column {name!r}: {cls.kind} columns have no field {key!r}.")
        values[key] = _checked(name, key, value, str(known[key].type))
    return cls(**values)  # type: ignore[arg-type]


def _checked(name: object, key: str, value: object, annotation: str) -> object:
    expected = {"str": str, "int": int, "bool": bool}.get(annotation)
    if expected is None:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise SchemaError(f"Column {name!r}: {key} must be a list of texts, got {value!r}.")
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise SchemaError(f"Column {name!r}: {key} must be {annotation}, got {value!r}.")
    return value


def _decimal(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except (InvalidOperation, TypeError) as error:
        raise SchemaError(f"Column {name!r}: {text!r} is not a decimal number.") from error
    if not number.is_finite():
        raise SchemaError(f"Column {name!r}: bounds must be finite, got {text!r}.")
    return number
