"""Judges tables that belong together: groups of rows in time, and sets of tables with keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from llmsynth.errors import TableError
from llmsynth.schema.metadata_set import ForeignKey, MetadataSet
from llmsynth_eval.cells import has_numeric_type
from llmsynth_eval.coded_table import encode
from llmsynth_eval.fidelity.shape import Shape
from llmsynth_eval.fidelity.trend import Trend
from llmsynth_eval.input_tables import Table, as_frame, check_same_columns, plan_columns
from llmsynth_eval.metric import Comparison, Measurement, Metric
from llmsynth_eval.related.autocorrelation import Autocorrelation
from llmsynth_eval.related.cardinality import Cardinality
from llmsynth_eval.related.constancy import Constancy
from llmsynth_eval.related.families import Families, Family, Link
from llmsynth_eval.related.gaps import Gaps, as_times
from llmsynth_eval.related.key_integrity import KeyIntegrity
from llmsynth_eval.related.parent_child import ParentChild
from llmsynth_eval.related.related_judgement import Part, RelatedJudgement
from llmsynth_eval.related.transitions import Transitions

Frames = dict[str, pd.DataFrame]


def evaluate_sequences(
    train: Table,
    synthetic: Table,
    holdout: Table | None = None,
    *,
    group_by: str,
    order_by: str | None = None,
    static: Sequence[str] = (),
    categories: Sequence[str] = (),
    seed: int = 0,
) -> RelatedJudgement:
    """Judge groups of rows: lengths, times, what follows what, what stays the same, the rows.

    Args:
        holdout: groups the synthesizer never saw; without it there is no floor.
        static: columns that must be the same in all rows of a group.
        categories: whole-number columns that are categories.

    Raises:
        TableError: tables that are empty, differ in their columns, or lack a named one.
    """
    frames = _frames({"train": train, "synthetic": synthetic, "holdout": holdout})
    families = Families(
        link=Link(child_key=group_by, order=order_by),
        **{role: Family(children=frame) for role, frame in frames.items()},
    )
    free = [n for n in frames["train"].columns if n not in {group_by, order_by, *static}]
    numeric = [n for n in free if _is_number(frames["train"][n]) and n not in categories]
    metrics: list[Metric | Cardinality] = [
        KeyIntegrity(families=families),
        Cardinality(families=families),
        Gaps(families=families),
        Constancy(families=families, columns=tuple(static)),
        Autocorrelation(families=families, columns=tuple(numeric)),
        Transitions(families=families, columns=tuple(n for n in free if n not in numeric)),
    ]
    found = [metric.compute() for metric in metrics]  # type: ignore[call-arg]
    rows = {role: frame.drop(columns=group_by) for role, frame in frames.items()}
    if order_by is not None:
        for role, frame in rows.items():
            rows[role] = frame.assign(**{order_by: as_times(frame[order_by], table=role)})
    return RelatedJudgement(
        parts={"groups": _part(found), "rows": _part(_of_rows(rows, categories, seed))}
    )


def evaluate_related(
    metadata: MetadataSet,
    train: Mapping[str, Table],
    synthetic: Mapping[str, Table],
    holdout: Mapping[str, Table] | None = None,
    *,
    seed: int = 0,
) -> RelatedJudgement:
    """Judge a set of tables: the rows of each, and every foreign key.

    Of rows that the metadata orders, it is told how far apart they are and how they go on, too.

    Args:
        train, synthetic, holdout: tables by name, as the metadata names them.

    Raises:
        TableError: a table that is missing, empty, or differs in its columns.
    """
    sets = {"train": train, "synthetic": synthetic, "holdout": holdout}
    given = {role: tables for role, tables in sets.items() if tables is not None}
    for role, tables in given.items():
        for name in metadata.tables:
            if name not in tables:
                raise TableError(f"The {role} tables lack {name!r}.")
    parts: dict[str, Part] = {}
    frames = {
        name: _frames({role: tables[name] for role, tables in given.items()})
        for name in metadata.tables
    }
    for name in metadata.tables:
        keys = metadata.keys_of(name)
        rows = {role: frame.drop(columns=keys) for role, frame in frames[name].items()}
        if len(rows["train"].columns):
            parts[name] = _part(_of_rows(_timed(rows), (), seed))
    for link in metadata.foreign_keys:
        parts[str(link)] = _of_link(metadata, link, frames, seed)
    return RelatedJudgement(parts=parts)


def _of_link(
    metadata: MetadataSet, link: ForeignKey, frames: Mapping[str, Frames], seed: int
) -> Part:
    key = metadata.tables[link.parent].primary_key
    assert key is not None
    children, parents = frames[link.table], frames[link.parent]
    is_first = link == metadata.links_of(link.table)[0]
    order = metadata.tables[link.table].order_by if is_first else None
    families = Families(
        link=Link(child_key=link.column, parent_key=key, order=order),
        **{r: Family(children=children[r], parents=parents[r]) for r in children},
    )
    found = [KeyIntegrity(families=families).compute(), Cardinality(families=families).compute()]
    if order is not None:
        fixed = {order, *metadata.keys_of(link.table)}
        free = [n for n in children["train"].columns if n not in fixed]
        going_on = tuple(n for n in free if _is_number(children["train"][n]))
        found.append(Gaps(families=families).compute())
        found.append(Autocorrelation(families=families, columns=going_on).compute())
    above = {
        role: frame.drop(columns=[n for n in metadata.keys_of(link.parent) if n != key])
        for role, frame in parents.items()
    }
    below_keys = [n for n in metadata.keys_of(link.table) if n != link.column]
    joined = {
        role: _joined(frame.drop(columns=below_keys), above[role], link, key)
        for role, frame in children.items()
    }
    names = [n for n in joined["train"].columns if n.startswith(f"{link.parent}.")]
    if names and len(names) < len(joined["train"].columns):
        found.append(ParentChild(parents=names).compute(_comparison(_timed(joined), (), seed)))
    return _part(found)


def _joined(
    children: pd.DataFrame, parents: pd.DataFrame, link: ForeignKey, key: str
) -> pd.DataFrame:
    """Children with the columns of their parents, which are called `parent.column`."""
    above = parents.rename(columns={n: f"{link.parent}.{n}" for n in parents.columns if n != key})
    both = children.merge(
        above.drop_duplicates(key), left_on=link.column, right_on=key, how="inner"
    )
    if not len(both):
        raise TableError(f"No row of {link.table} names a row of {link.parent}.")
    return both.drop(columns=list({link.column, key}))


def _frames(tables: Mapping[str, Table | None]) -> Frames:
    frames = {role: as_frame(t, role=role) for role, t in tables.items() if t is not None}
    check_same_columns(frames)
    names = list(frames["train"].columns)
    return {role: frame[names] for role, frame in frames.items()}


def _timed(frames: Frames) -> Frames:
    """The tables with columns of ISO days as numbers."""
    out = dict(frames)
    for name in frames["train"].columns:
        cells = frames["train"][name].dropna()
        if has_numeric_type(cells) or not len(cells):
            continue
        texts = cells.astype(str)
        if texts.str.fullmatch(r"\d{4}-\d{2}-\d{2}([T ].*)?").all():
            for role, frame in out.items():
                out[role] = frame.assign(**{name: as_times(frame[name], table=role)})
    return out


def _is_number(cells: pd.Series) -> bool:
    return has_numeric_type(cells)


def _of_rows(frames: Frames, categories: Sequence[str], seed: int) -> list[Measurement]:
    comparison = _comparison(frames, categories, seed)
    return [metric.compute(comparison) for metric in (Shape(), Trend())]


def _comparison(frames: Frames, categories: Sequence[str], seed: int) -> Comparison:
    numeric = [n for n, c in frames["train"].items() if _is_number(c) and n not in categories]
    plan = plan_columns(frames["train"], numeric=[str(n) for n in numeric])
    coded = encode(frames, plan)
    return Comparison(
        train=coded["train"],
        synthetic=coded["synthetic"],
        holdout=coded.get("holdout", coded["train"]),
        seed=seed,
        with_floor="holdout" in coded,
    )


def _part(found: Sequence[Measurement]) -> Part:
    return Part(
        figures=tuple(figure for m in found for figure in m.figures),
        tables=tuple(table for m in found for table in m.tables),
        notes=tuple(note for m in found for note in m.notes),
    )
