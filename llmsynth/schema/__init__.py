"""What a table may hold: columns, their kinds and bounds, the rules between them, inference."""

from llmsynth.schema.columns import (
    KINDS,
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    IdentifierColumn,
    NumberColumn,
    QuantityColumn,
    TextColumn,
    column_from_json,
)
from llmsynth.schema.constraints import (
    Computed,
    ConstantWhen,
    Constraint,
    FixedCombinations,
    Inequality,
    Lookup,
    MissingExactlyWhen,
    Sum,
)
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema

__all__ = [
    "KINDS",
    "BooleanColumn",
    "CategoryColumn",
    "Column",
    "Computed",
    "ConstantWhen",
    "Constraint",
    "DateColumn",
    "DatetimeColumn",
    "FixedCombinations",
    "IdentifierColumn",
    "Inequality",
    "Lookup",
    "MissingExactlyWhen",
    "NumberColumn",
    "QuantityColumn",
    "Sum",
    "TableSchema",
    "TextColumn",
    "column_from_json",
    "infer_schema",
]
