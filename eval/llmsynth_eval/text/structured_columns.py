"""The row's other columns as classes that a text may tell: categories, and quarters of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from llmsynth.errors import TableError
from llmsynth_eval.cells import has_numeric_type, texts
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.text.text_comparison import ROLES, Role, TextComparison

MAX_CLASSES = 50
MAX_COLUMNS = 20
QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, kw_only=True)
class ClassColumn:
    """One structured column as class numbers per table; -1 where a row has no value."""

    name: str
    num_classes: int
    codes: Mapping[Role, Codes]


def structured_columns(comparison: TextComparison) -> tuple[list[ClassColumn], list[str]]:
    """The label first, then the other columns by name, at most twenty; and notes on the rest.

    Numbers are cut at the quartiles of train. A column of one class, or of more than 50, is left
    out, and so is one whose type differs between the tables.

    Raises:
        TableError: the label itself cannot be used.
    """
    names = [name for name in comparison.other_columns if name != comparison.label]
    if comparison.label is not None:
        names.insert(0, comparison.label)
    found: list[ClassColumn] = []
    left_out: list[str] = []
    for name in names:
        column = _class_column(comparison, name) if len(found) < MAX_COLUMNS else None
        if column is not None:
            found.append(column)
        elif name == comparison.label:
            raise TableError(
                f"The label {name!r} needs two to {MAX_CLASSES} classes in train.",
                hint="Name another column as the label, or none.",
            )
        else:
            left_out.append(name)
    if not left_out:
        return found, []
    return found, [
        f"Not asked of the text (one class, more than {MAX_CLASSES}, another type, or beyond "
        f"{MAX_COLUMNS} columns): {', '.join(left_out)}."
    ]


def _class_column(comparison: TextComparison, name: str) -> ClassColumn | None:
    cells = {role: comparison.frame(role)[name] for role in ROLES}
    numeric = [has_numeric_type(series) for series in cells.values()]
    if all(numeric) and cells["train"].nunique() > MAX_CLASSES:
        return _quarters(name, cells)
    words = {role: texts(series) for role, series in cells.items()}
    levels = sorted({word for word in words["train"] if word is not None})
    levels += sorted(
        {w for part in words.values() for w in part if w is not None}.difference(levels)
    )
    if not 2 <= len(levels) <= MAX_CLASSES:
        return None
    number = {level: code for code, level in enumerate(levels)}
    codes: dict[Role, Codes] = {
        role: np.array([-1 if w is None else number[w] for w in part], dtype=np.int64)
        for role, part in words.items()
    }
    return _usable(name, len(levels), codes)


def _quarters(name: str, cells: Mapping[Role, pd.Series]) -> ClassColumn | None:
    numbers: dict[Role, np.ndarray] = {}
    for role, series in cells.items():
        if getattr(series.dtype, "kind", "") in ("M", "m"):
            series = series.astype("int64").where(series.notna())
        numbers[role] = series.to_numpy(np.float64, na_value=np.nan)
    edges = np.unique(np.nanquantile(numbers["train"], QUARTERS))
    codes: dict[Role, Codes] = {
        role: np.where(np.isnan(part), -1, np.searchsorted(edges, part)).astype(np.int64)
        for role, part in numbers.items()
    }
    return _usable(name, len(edges) + 1, codes)


def _usable(name: str, num_classes: int, codes: dict[Role, Codes]) -> ClassColumn | None:
    if len(np.unique(codes["train"][codes["train"] >= 0])) < 2:
        return None
    if not all((part >= 0).any() for part in codes.values()):
        return None
    return ClassColumn(name=name, num_classes=num_classes, codes=codes)
