"""How a case's three files become the tables that the one judge compares."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from cases import Case
from llmsynth_eval import Judgement, judge
from threadpoolctl import threadpool_limits


def judge_files(
    case: Case, *, train: Path, synthetic: Path, holdout: Path, threads: int | None = None
) -> Judgement:
    """Judge one synthetic file, whoever wrote it.

    All cells are read as text. A column counts as numeric where every cell of train is a number
    and the case does not call it a code; days become day numbers. A synthetic cell that is no
    number where train has numbers counts as missing.
    """
    texts = {role: _read(file) for role, file in (("train", train), ("holdout", holdout))}
    texts["synthetic"] = _read(synthetic)
    numeric = [str(name) for name, cells in texts["train"].items() if _is_numeric(cells, case)]
    tables = {role: _typed(table, numeric, case) for role, table in texts.items()}
    with threadpool_limits(limits=threads):
        return judge(
            tables["train"],
            tables["synthetic"],
            tables["holdout"],
            target=case.target,
            numeric=[*numeric, *case.dates],
            seed=0,
        )


def _read(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])


def _is_numeric(cells: pd.Series, case: Case) -> bool:
    if cells.name in case.codes or cells.isna().all():
        return False
    return bool(pd.to_numeric(cells.dropna(), errors="coerce").notna().all())


def _typed(table: pd.DataFrame, numeric: list[str], case: Case) -> pd.DataFrame:
    columns = dict(table.items())
    for name in numeric:
        columns[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    for name in case.dates:
        columns[name] = _day_numbers(table[name])
    return pd.DataFrame(columns)


def _day_numbers(cells: pd.Series) -> pd.Series:
    days = pd.to_datetime(cells, errors="coerce", format="ISO8601")
    return (days - pd.Timestamp("1970-01-01")).dt.total_seconds() / 86_400
