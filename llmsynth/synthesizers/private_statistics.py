"""What a private fit reads of a table before training: units, schema, token counts, codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from llmsynth.codec.column_code import SKIPPED, Tokens
from llmsynth.codec.number_code import NumberCode
from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import SchemaError, TableError
from llmsynth.generation.constraints import with_combinations
from llmsynth.privacy.accounting import Mechanism
from llmsynth.privacy.column_kinds import blank_schema
from llmsynth.privacy.drawn_rows import draw_rows
from llmsynth.privacy.ledger import Allotment
from llmsynth.privacy.metadata import MetadataBudget, ReleasedSchema, release_schema
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.noisy_counts import NoisyCounts
from llmsynth.privacy.pair_counts import (
    PairTables,
    blank_tables,
    candidates,
    choose,
    measure_pairs,
)
from llmsynth.privacy.settings import PrivacySettings
from llmsynth.privacy.token_marginals import (
    TokenMarginals,
    measure_alone,
    measure_beside,
    num_beside,
    num_learned,
)
from llmsynth.privacy.unit_sampler import Units, by_entity, every_row
from llmsynth.schema.columns import IdentifierColumn, TextColumn
from llmsynth.schema.constraints import FixedCombinations
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.private_codes import encode_leniently

ALONE_SHARE, BESIDE_SHARE = 0.25, 0.45
"""Shares of the counts' budget for tokens alone, and beside the target."""
_SCORES_SHARE, _PAIRS_SHARE = 0.03, 0.27
"""Shares for telling which pairs of columns belong together, and for counting those. With .10, .25,
.05 and .60, rows drawn at epsilon 1 from counts of 8,000 rows of Adult had a TSTR AUC of .866 in
place of .880, means of four; at epsilon 4 the same."""
_FEWEST_DRAWN, _MOST_DRAWN = 24_000, 30_000


@dataclass(frozen=True, kw_only=True)
class PrivateStatistics:
    """All that training gets of a table, and what was spent on it.

    codes: int32 (rows of units, places), private; everything else is free of single units.
    flat: places of low digits, which are drawn evenly instead of learned.
    drawn: int32 (rows, places), rows that keep to the noisy counts.
    """

    language: RowLanguage
    codes: Tokens
    units: Units
    flat: frozenset[int]
    released: ReleasedSchema
    drawn: Tokens
    parts: dict[str, Mechanism]
    public: tuple[str, ...]

    @property
    def num_units(self) -> int:
        """Noisy number of units."""
        return self.released.num_units


def units_of(table: pa.Table, settings: PrivacySettings, source: NoiseSource) -> Units:
    """Whose row each row is, bounded as the settings say.

    Raises:
        TableError: no rows, or no such entity column.
    """
    if not table.num_rows:
        raise TableError("The table has no rows to learn from.")
    if settings.entity is None:
        return every_row(table.num_rows)
    if settings.entity not in table.column_names:
        raise TableError(
            f"The table has no entity column {settings.entity!r}; it has "
            f"{', '.join(map(repr, table.column_names))}."
        )
    return by_entity(table.column(settings.entity), settings.rows_per_entity, source)


def gather(
    table: pa.Table,
    schema: TableSchema | None,
    units: Units,
    settings: PrivacySettings,
    allotment: Allotment,
    source: NoiseSource,
    *,
    target: str | None,
    drop_text: bool,
    keep_text: bool = False,
    seed: int = 0,
) -> PrivateStatistics:
    """Release schema and token counts, and encode the rows.

    Args:
        keep_text: whether free texts stay in the schema, for another model to learn.
        seed: of the rows that are drawn from the counts.

    Raises:
        SchemaError: free text in the schema, combinations that only the data hold, an unknown
            target, or nothing that could be released.
    """
    typed = schema is not None
    declared = _without_entity(schema or blank_schema(table), settings.entity)
    _refuse_reading(declared, target, drop_text or keep_text)
    rows = table.select(list(declared.names)).take(pa.array(units.rows))
    budget = MetadataBudget(
        noise_multiplier=allotment.metadata_noise, key_delta=allotment.key_delta
    )
    released = release_schema(
        rows,
        declared,
        units,
        budget,
        source,
        kinds_known=typed,
        keep_text=keep_text,
        target=target,
    )
    if target in released.left_out:
        raise SchemaError(
            f"Nothing of the target {target!r} could be released under this budget.",
            hint="Declare its values in the schema, or raise epsilon.",
        )
    # No table is read here: combinations without a list were refused.
    filled = with_combinations(rows.slice(0, 0), released.schema, floor=1)
    language = RowLanguage(filled)
    if not len(language.place_sizes):
        raise SchemaError(
            "No column is left to learn: too little is known of any of them.",
            hint="Declare categories and bounds in the schema, or raise epsilon.",
        )
    codes = encode_leniently(rows, language, np.arange(rows.num_rows))
    budget_of = _Counts(allotment.counts_noise, units.most_rows, source)
    parts = dict(released.mechanisms)
    marginals, pairs = _counted(codes, language, released, budget_of, target, parts)
    num_drawn = int(np.clip(2 * released.num_rows, _FEWEST_DRAWN, _MOST_DRAWN))
    flat = frozenset(place for place, shares in enumerate(marginals.shares) if shares is None)
    codes[:, sorted(flat)] = SKIPPED
    return PrivateStatistics(
        language=language,
        codes=codes,
        units=units,
        flat=flat,
        released=released,
        drawn=draw_rows(marginals, pairs, num_drawn, np.random.default_rng(seed)),
        parts=parts,
        public=_public(released, kinds_declared=typed),
    )


def encoded_anew(
    table: pa.Table, language: RowLanguage, units: Units, flat: frozenset[int]
) -> Tokens:
    """The rows of `units` in a language that was released before; int32 (rows, places)."""
    rows = table.select(list(language.schema.names)).take(pa.array(units.rows))
    codes = encode_leniently(rows, language, np.arange(rows.num_rows))
    codes[:, sorted(flat)] = SKIPPED
    return codes


@dataclass(frozen=True)
class _Counts:
    """Shares of the counts' budget as histograms."""

    noise: float
    most_rows: int
    source: NoiseSource

    def of(self, share: float, histograms: int) -> NoisyCounts:
        return NoisyCounts(
            num_histograms=max(histograms, 1),
            noise_multiplier=self.noise / share**0.5,
            most_rows=self.most_rows,
            source=self.source,
        )


def _counted(
    codes: Tokens,
    language: RowLanguage,
    released: ReleasedSchema,
    budget: _Counts,
    target: str | None,
    parts: dict[str, Mechanism],
) -> tuple[TokenMarginals, PairTables]:
    """Counts of tokens alone, beside the target, and of pairs; each notes what it spends."""
    root = None if target is None else language.schema.names.index(target)
    is_rooted = root is not None and num_beside(language) > 0
    second, deep = _low_digits(language)
    alone = budget.of(ALONE_SHARE + (0 if is_rooted else BESIDE_SHARE), num_learned(language, deep))
    parts["counts of tokens"] = alone.mechanism
    marginals = measure_alone(codes, language, deep, alone, second)
    if root is not None and is_rooted:
        beside = budget.of(BESIDE_SHARE, num_beside(language))
        parts["counts of tokens beside the target"] = beside.mechanism
        marginals = measure_beside(marginals, codes, root, released.num_rows, beside)
    return marginals, _paired(marginals, codes, released.num_rows, budget, parts)


def _paired(
    marginals: TokenMarginals,
    codes: Tokens,
    num_rows: int,
    budget: _Counts,
    parts: dict[str, Mechanism],
) -> PairTables:
    pairs = candidates(marginals)
    if not pairs:
        return blank_tables(marginals, 1)
    scores = budget.of(_SCORES_SHARE, len(pairs))
    parts["which pairs of columns belong together"] = scores.mechanism
    pair_noise = budget.of(_PAIRS_SHARE, 1).deviation
    choice = choose(marginals, codes, pairs, num_rows, scores, pair_noise)
    counts = budget.of(_PAIRS_SHARE, len(choice.pairs))
    if choice.pairs:
        parts["counts of pairs beside the target"] = counts.mechanism
    return measure_pairs(marginals, codes, choice, num_rows, counts)


def _without_entity(schema: TableSchema, entity: str | None) -> TableSchema:
    """The schema less the entity column, unless it is declared an identifier to re-invent."""
    if entity is None or entity not in schema.names:
        return schema
    if isinstance(schema.column(entity), IdentifierColumn):
        return schema
    return schema.without([entity])


def _refuse_reading(schema: TableSchema, target: str | None, drop_text: bool) -> None:
    if target is not None:
        schema.column(target)
    text = [c.name for c in schema.columns if isinstance(c, TextColumn)]
    if text and not drop_text:
        raise SchemaError(
            f"Free text in {', '.join(map(repr, text))}: the compact model learns typed columns.",
            hint="Leave the text out with drop_text (--drop-text).",
        )
    for constraint in schema.constraints:
        if isinstance(constraint, FixedCombinations) and not constraint.combinations:
            raise SchemaError(
                f"Fixed combinations of {', '.join(constraint.columns)} would be read from the "
                "table, which differential privacy does not allow.",
                hint="List the combinations in the schema.",
            )


def _low_digits(language: RowLanguage) -> tuple[frozenset[int], frozenset[int]]:
    """Numbers' digit places that may be noise, the second ones, and those that are taken for it."""
    second: set[int] = set()
    deep: set[int] = set()
    for index, code in enumerate(language.codes):
        if isinstance(code, NumberCode):
            places = language.places(index)
            second |= set(places[1:2])
            deep |= set(places[2:])
    return frozenset(second), frozenset(deep)


def _public(released: ReleasedSchema, *, kinds_declared: bool) -> tuple[str, ...]:
    said = ["the names of the columns", "the table's number of units to the power of ten (delta)"]
    said.append(
        "the kinds of the columns, in the schema file"
        if kinds_declared
        else "the Arrow types of the columns as they were read"
    )
    if released.declared and kinds_declared:
        said.append(f"values and bounds of {', '.join(released.declared)}, in the schema file")
    return tuple(said)
