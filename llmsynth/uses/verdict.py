"""What the judges say of added rows: asked as a process, on files in a folder that is deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from llmsynth.judging import Option, run_judges
from llmsynth.schema.columns import CategoryColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.writing import write_table
from llmsynth.uses.groups import Group

OTHERS = "all others"


@dataclass(frozen=True, kw_only=True)
class JudgeSettings:
    """How thoroughly to compare."""

    learners: tuple[str, ...] = ("boosting", "linear")
    """The first one gives the verdict."""
    num_seeds: int = 5
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether added rows of a group help to find it among real rows that nobody had seen."""

    group: str
    verdict: str
    """`gain`, `no gain detected`, `harm`, or `not measured`."""
    words: str
    details: Mapping[str, Any]
    """Everything that the judges found: every way with its intervals, copies, diversity."""

    @property
    def difference(self) -> float | None:
        """AUPRC less that of the nearest simpler way; None where nothing was measured."""
        return self.details.get("difference")

    @property
    def interval(self) -> tuple[float, float] | None:
        """95%, of the difference."""
        found = self.details.get("interval")
        return None if found is None else (float(found[0]), float(found[1]))

    @property
    def copy_share(self) -> float | None:
        """Share of the added rows that equal a train row of the group."""
        rows = self.details.get("rare_rows")
        return None if rows is None else float(rows["copy_share"])


def judged(
    group: Group,
    *,
    train: pa.Table,
    test: pa.Table,
    synthetic: pa.Table,
    schema: TableSchema,
    settings: JudgeSettings,
    page: Path | None = None,
) -> Verdict:
    """Compare adding the group's synthetic rows with every simpler way to treat it.

    Whether a row is of the group becomes the class to be found, and the columns that tell it are
    taken out.

    Args:
        page: HTML file to write.

    Raises:
        MissingExtraError: the judges are not installed.
        LlmsynthError: they cannot compare these tables, e.g. fewer than ten test rows.
    """
    target = _free_name(schema.names)
    typed = replace(
        schema.without(group.where),
        columns=(
            *(c for c in schema.columns if c.name not in group.where),
            CategoryColumn(name=target, categories=(group.label, OTHERS)),
        ),
        constraints=(),
    )
    ours = synthetic.filter(group.holds(synthetic, schema))
    asked = ours.num_rows / int(np.asarray(group.holds(train, schema)).sum())
    with TemporaryDirectory(prefix="llmsynth-judging-") as name:
        folder = Path(name)
        for role, table in (("train", train), ("test", test), ("synthetic", ours)):
            told = _told(table, schema, group, target)
            write_table(told, folder / f"{role}.csv", schema=typed)
        (folder / "schema.json").write_text(typed.to_json(), encoding="utf-8")
        options: dict[str, Option] = {
            **{role: folder / f"{role}.csv" for role in ("train", "test", "synthetic")},
            "schema": folder / "schema.json",
            "target": target,
            "rare-class": group.label,
            "amount": sorted({min(1.0, asked), asked}),
            "learner": settings.learners,
            "seeds": settings.num_seeds,
            "seed": settings.seed,
            "json": folder / "found.json",
        }
        if page is not None:
            options["out"] = page
        run_judges("augment", options)
        found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return Verdict(group=group.label, verdict=found["verdict"], words=found["words"], details=found)


def _told(table: pa.Table, schema: TableSchema, group: Group, target: str) -> pa.Table:
    member = np.asarray(group.holds(table, schema))
    labels = pa.array(np.where(member, group.label, OTHERS).tolist(), pa.string())
    return table.drop_columns(list(group.where)).append_column(target, labels)


def _free_name(names: Sequence[str]) -> str:
    name = "group"
    while name in names:
        name += "_"
    return name
