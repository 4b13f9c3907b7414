"""Fits SDV's HMA with its default settings on a set of tables, and writes a set.

It is told the keys and the kind of every column, and has no limit on its time.
"""

from __future__ import annotations

import json
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch
from contract import READ_CSV, Stopwatch, write_timing
from group_contract import read_related_request
from sdv.metadata import Metadata
from sdv.multi_table import HMASynthesizer

DAY = "%Y-%m-%d"


def main() -> None:
    """Fit, then sample at scale 1."""
    request = read_related_request()
    data = json.loads(request.metadata.read_text(encoding="utf-8"))
    folder = request.metadata.parent
    tables = {
        name: pd.read_csv(folder / entry["file"], **READ_CSV)
        for name, entry in data["tables"].items()
    }
    np.random.seed(request.seed)
    watch = Stopwatch()
    model = HMASynthesizer(metadata(data, tables, request.dates), verbose=False)
    with watch.stage("fit"):
        model.fit(tables)
    with watch.stage("sample"):
        drawn = model.sample_scale(scale=1.0)
    for name, table in drawn.items():
        table[list(tables[name].columns)].to_csv(request.out / f"{name}.csv", index=False)
    write_timing(
        request.timing,
        watch,
        version=f"sdv {version('sdv')}, copulas {version('copulas')}",
        threads=torch.get_num_threads(),
        settings={},
    )


def metadata(
    data: dict[str, dict[str, dict[str, str]]], tables: dict[str, pd.DataFrame], dates: list[str]
) -> Metadata:
    """The set as SDV describes one."""
    links = data["foreign_keys"]
    described = {}
    for name, table in tables.items():
        key = data["tables"][name].get("primary_key")
        foreign = {link["column"] for link in links if link["table"] == name}
        numeric = set(table.select_dtypes("number").columns)
        columns: dict[str, dict[str, str]] = {}
        for column in table.columns:
            if column == key or column in foreign:
                columns[column] = {"sdtype": "id"}
            elif column in dates:
                columns[column] = {"sdtype": "datetime", "datetime_format": DAY}
            else:
                columns[column] = {"sdtype": "numerical" if column in numeric else "categorical"}
        described[name] = {"columns": columns, **({"primary_key": key} if key else {})}
    relationships = [
        {
            "parent_table_name": link["parent"],
            "parent_primary_key": data["tables"][link["parent"]]["primary_key"],
            "child_table_name": link["table"],
            "child_foreign_key": link["column"],
        }
        for link in links
    ]
    return Metadata.load_from_dict({"tables": described, "relationships": relationships})


if __name__ == "__main__":
    main()
