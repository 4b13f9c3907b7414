"""How the cells of one pandas column become numbers or category texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from llmsynth.errors import TableError

Floats = NDArray[np.float64]


def has_numeric_type(series: pd.Series) -> bool:
    """Whether the dtype alone makes a column numeric: numbers, moments, durations; not booleans."""
    if pd.api.types.is_bool_dtype(series.dtype):
        return False
    return bool(pd.api.types.is_numeric_dtype(series.dtype)) or _is_time(series)


def numbers(series: pd.Series, *, table: str, date_format: str | None = None) -> Floats:
    """The column as float64 with NaN for missing; moments as seconds since 1970 (UTC).

    Raises:
        TableError: a cell is not a number (or not a moment), or is infinite.
    """
    if date_format is not None and not _is_time(series):
        series = _moments(series, table=table, date_format=date_format)
    if _is_time(series):
        return _seconds(series)
    values = pd.to_numeric(series.astype(object), errors="coerce").to_numpy(float, na_value=np.nan)
    wrong = (np.isnan(values) & series.notna().to_numpy(bool)) | np.isinf(values)
    _refuse(series, wrong & ~_is_nan_cell(series), table=table, expected="finite numbers")
    return values + 0.0  # -0.0 and 0.0 are the same cell


def texts(series: pd.Series) -> NDArray[np.object_]:
    """The column as texts with None for missing; whole floats lose their `.0`.

    A category column of whole numbers is read as floats as soon as one cell is missing, so
    `1.0` in one table and `1` in another have to mean the same category.
    """
    codes, words = coded_texts(series)
    return words[codes]


def coded_texts(series: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """The column as codes into its distinct texts, None for missing; see `texts`.

    Returns:
        int64 codes of shape (rows,), and the texts; no order is promised.
    """
    if series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) != "string":
        # 1, 1.0 and True would share a code: equal for Python, three texts for a reader
        missing = series.isna().to_numpy(bool)
        cells = zip(series.to_numpy(), missing, strict=True)
        series = pd.Series([None if gone else _text(v) for v, gone in cells], dtype=object)
    numbers_of, distinct = pd.factorize(series, use_na_sentinel=True)
    words = np.empty(len(distinct) + 1, dtype=object)
    words[:-1] = [_text(value) for value in pd.Index(distinct).astype(object)]
    words[-1] = None  # factorize codes the missing cell as -1, which is the last place
    codes = np.where(numbers_of < 0, len(distinct), numbers_of).astype(np.int64)
    return codes, words


def _text(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _is_time(series: pd.Series) -> bool:
    return getattr(series.dtype, "kind", "") in ("M", "m")


def _is_nan_cell(series: pd.Series) -> NDArray[np.bool_]:
    return series.isna().to_numpy(bool)


def _moments(series: pd.Series, *, table: str, date_format: str) -> pd.Series:
    cells = series.astype(object)
    try:
        moments = pd.to_datetime(cells, format=date_format, errors="coerce", utc=True)
        if moments.isna().sum() > cells.isna().sum():
            iso = pd.to_datetime(cells, format="ISO8601", errors="coerce", utc=True)
            moments = moments.fillna(iso)
    except (TypeError, ValueError) as error:
        raise TableError(f"Column {series.name!r} of the {table} table: {error}.") from error
    wrong = moments.isna().to_numpy(bool) & cells.notna().to_numpy(bool)
    _refuse(series, wrong, table=table, expected=f"moments such as {date_format}")
    return moments


def _seconds(series: pd.Series) -> Floats:
    kind = "datetime64[us]" if series.dtype.kind == "M" else "timedelta64[us]"
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    values = series.to_numpy(kind)
    return np.where(np.isnat(values), np.nan, values.astype(np.int64) / 1e6)


def _refuse(series: pd.Series, wrong: NDArray[np.bool_], *, table: str, expected: str) -> None:
    if not wrong.any():
        return
    row = int(np.flatnonzero(wrong)[0])
    raise TableError(
        f"Column {series.name!r} of the {table} table should hold {expected}; "
        f"row {row + 1} holds {series.iloc[row]!r}.",
        hint="Correct the cell, or leave the column out of `numeric` to judge it as categories.",
    )
