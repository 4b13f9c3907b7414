"""Rows from a language model that has not learned the table: it is shown some and told of it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.row_tokens import RowTokens
from llmsynth.codec.span_hashes import SpanHashes
from llmsynth.errors import ConditionError, SettingsError
from llmsynth.generation.constraints import with_combinations
from llmsynth.generation.identifiers import IdentifierMaker
from llmsynth.generation.row_writer import RowWriter
from llmsynth.progress import Progress, silent
from llmsynth.prompting.row_prompt import RowPrompt
from llmsynth.prompting.shares import Shares, cells_like, cells_of_shares
from llmsynth.prompting.templates import template
from llmsynth.schema.columns import IdentifierColumn, TextColumn
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.prompted_run import Drawing, PromptedRun
from llmsynth.synthesizers.prompted_settings import PromptedSample, PromptSettings
from llmsynth.tables.conforming import conform
from llmsynth.tables.reading import read_table

if TYPE_CHECKING:
    from llmsynth.engines.engine import RowEngine
    from llmsynth.tables.reading import TableSource

DEFAULT_MODEL = "smollm2-135m"
Marginals = Mapping[str, Shares | Literal["examples"]]
_GUARD_TOKENS, _COMMON_ROWS = 10, 1 << 30
_LONGER = 4
_WARNING = (
    "Examples stand in the prompt as they are, and a model may repeat what they hold. Whole rows "
    "and long runs of words are checked against them and drawn anew; single cells, names and "
    "numbers are not. There is no differential privacy."
)


class PromptedSynthesizer:
    """Asks a language model for rows of a table that it is shown, or only told of.

    Args:
        schema: the columns, best with descriptions; inferred from the examples when omitted, and
            then only as wide as they are.
        examples: some rows: a path, DataFrame or Arrow table. None: the model is told of the
            columns only.
        instruction: what the table is about, in words.
        model: a pretrained model: a short name, a local folder, or a hub id. With `engine`, the
            model that the engine runs: its tokenizer is needed here.
        engine: what runs the model; this process when omitted.
        target: the column whose values the examples of a prompt are balanced over; the first
            column with a quota when omitted.
        marginals: column to shares of its values, or to "examples": what the examples tell.
        missing: cell texts that mean "missing" in a CSV file of examples.

    Raises:
        SettingsError: neither schema nor examples.
        SchemaError, TableError: examples that the schema cannot hold.
    """

    def __init__(
        self,
        *,
        schema: TableSchema | None = None,
        examples: TableSource | None = None,
        instruction: str = "",
        model: str = DEFAULT_MODEL,
        engine: RowEngine | None = None,
        target: str | None = None,
        marginals: Marginals | None = None,
        missing: tuple[str, ...] = (),
        settings: PromptSettings | None = None,
    ) -> None:
        rows = None if examples is None else read_table(examples, missing=missing)
        if schema is None and (rows is None or not rows.num_rows):
            raise SettingsError("Expected a schema, example rows, or both; neither came.")
        schema = schema or infer_schema(rows, target=target)
        if target is not None:
            schema.column(target)
        self.schema, self._table = _ready(schema, rows)
        self.instruction, self.model, self.target = instruction, model, target
        self.marginals: Marginals = dict(marginals or {})
        self.settings = settings or PromptSettings()
        identifiers = [c.name for c in schema.columns if isinstance(c, IdentifierColumn)]
        self._examples = self._table.drop_columns(identifiers)
        self._language = RowLanguage(_shortened(self.schema.without(identifiers), self._examples))
        self._prompt = RowPrompt(
            template=template(self.settings.template),
            language=self._language,
            instruction=instruction,
        )
        self._prompt.text(self._examples.to_pylist(), self._language.schema.names)
        self._engine = engine
        self._writer: RowWriter | None = None
        self._fingerprint: str | None = None

    def sample(
        self,
        n: int,
        *,
        quotas: Mapping[str, Shares] | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        max_seconds: float | None = None,
        progress: Progress = silent,
    ) -> PromptedSample:
        """Draw `n` rows.

        Args:
            quotas: column to shares of its values, met to the nearest row; what they leave goes
                to the other values as the examples tell. They come before `marginals`.
            seed: same seed, same rows on the same engine.
            max_seconds: wall-clock limit.

        Returns:
            The rows, a report, and the record; `report.is_partial` where a bound cut it short.

        Raises:
            ConditionError: a quota or marginal that the schema cannot hold.
            ModelError, EngineError: the model is not there, or cannot be run.
        """
        if n < 1:
            raise SettingsError(f"n must be at least 1, got {n}.")
        makers = [
            IdentifierMaker(column, seed)
            for column in self.schema.columns
            if isinstance(column, IdentifierColumn)
        ]
        for maker in makers:
            maker.check(n)
        fixed = self._fixed(n, dict(quotas or {}), np.random.default_rng(seed))
        drawing = Drawing(seed=seed, temperature=temperature, top_p=top_p, max_seconds=max_seconds)
        writer = self._ready_writer()
        run = PromptedRun(
            writer=writer,
            prompt=self._prompt,
            examples=self._examples,
            strata=self._strata(fixed),
            fixed=fixed,
            settings=self.settings,
            drawing=drawing,
            progress=progress,
        )
        table = self._named(run.table(n), seed)
        record = self._record(drawing, quotas or {}, writer.engine.name)
        return PromptedSample(table, self.schema, run.report, record)

    def _fixed(
        self, n: int, quotas: Mapping[str, Shares], generator: np.random.Generator
    ) -> pa.Table:
        """Cells of every column with shares, drawn apart from each other."""
        asked: dict[str, Shares | Literal["examples"]] = {**self.marginals, **quotas}
        columns: dict[str, pa.Array] = {}
        names = self._language.schema.names
        for name in asked:
            if name not in names:
                raise ConditionError(
                    f"There is no column {name!r} to give shares to; there are "
                    f"{', '.join(map(repr, names))}."
                )
        if asked and len(asked) == len(names):
            raise ConditionError("Every column has shares; none is left for the model to write.")
        for name in names:
            if name in asked:
                columns[name] = self._cells(name, asked[name], n, generator)
        return pa.table(columns)

    def _cells(
        self,
        name: str,
        shares: Shares | Literal["examples"],
        n: int,
        generator: np.random.Generator,
    ) -> pa.Array:
        column = self._language.schema.column(name)
        examples = self._examples.column(name).combine_chunks()
        if not isinstance(shares, str):
            return cells_of_shares(column, shares, examples, n, generator)
        cells = cells_like(column, examples, n, generator)
        if cells is None:
            raise ConditionError(
                f"Column {name!r}: two examples at least tell the marginal of a category, number "
                f"or date; it is {column.kind}, and there are {len(examples)}."
            )
        return cells

    def _strata(self, fixed: pa.Table) -> list[object]:
        name = self.target or next(iter(fixed.column_names), None)
        if name is None or name not in self._examples.column_names:
            return [None] * self._examples.num_rows
        cells: list[object] = self._examples.column(name).to_pylist()
        return cells

    def _ready_writer(self) -> RowWriter:
        """The writer, made once; without an engine of the user's the model is loaded here."""
        if self._writer is None:
            # Reaches transformers, which takes seconds to load.
            from llmsynth.synthesizers.prompted_engine import local_engine, tokenizer_of

            if self._engine is not None:
                tokenizer = tokenizer_of(self.model)
                tokens = RowTokens(self._language, tokenizer)
                self._writer = RowWriter(self._engine, tokens, tokenizer)
            else:
                loaded = local_engine(self.model, self.settings.rows_per_prompt)
                tokens = RowTokens(self._language, loaded.tokenizer)
                engine = loaded.guarded(self._spans(tokens))
                self._writer = RowWriter(engine, tokens, loaded.tokenizer)
                self._fingerprint = loaded.fingerprint
        return self._writer

    def _spans(self, tokens: RowTokens) -> SpanHashes | None:
        """Spans of the example texts that the engine keeps out while it writes."""
        names = [c.name for c in self._language.schema.columns if isinstance(c, TextColumn)]
        if not names or not self._examples.num_rows:
            return None
        cells = tokens.cells(self._examples.select(names))
        texts = [cell for name in names for cell in cells[name]]
        return SpanHashes.of(texts, length=_GUARD_TOKENS, common_rows=_COMMON_ROWS)

    def _named(self, table: pa.Table, seed: int) -> pa.Table:
        """All columns of the schema, identifiers made here."""
        columns = []
        for column in self.schema.columns:
            if isinstance(column, IdentifierColumn):
                columns.append(IdentifierMaker(column, seed).make(0, table.num_rows))
            else:
                columns.append(table.column(column.name))
        return pa.table(columns, names=list(self.schema.names))

    def _record(
        self, drawing: Drawing, quotas: Mapping[str, Shares], engine: str
    ) -> dict[str, object]:
        rows = [self._language.serialize(row) for row in self._examples.to_pylist()]
        digest = hashlib.sha256("".join(rows).encode()).hexdigest()
        used = self._prompt.template
        return {
            "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "template": {"name": used.name, "sha256": used.sha256},
            "instruction": self.instruction,
            "model": {"name": self.model, "sha256": self._fingerprint, "engine": engine},
            "examples": {"rows": len(rows), "sha256": digest},
            "target": self.target,
            "quotas": _plain(quotas),
            "marginals": _plain(self.marginals),
            "drawing": asdict(drawing),
            "settings": asdict(self.settings),
            "versions": {name: version(name) for name in ("llmsynth", "pyarrow", "numpy")},
            "privacy": _WARNING,
        }


def _ready(schema: TableSchema, rows: pa.Table | None) -> tuple[TableSchema, pa.Table]:
    """The schema with its constraints filled in, and the examples in its types."""
    empty = pa.schema([(c.name, arrow_type(c.storage)) for c in schema.columns]).empty_table()
    table = empty if rows is None else conform(rows, schema)
    return with_combinations(table, schema, floor=1), table


def _shortened(schema: TableSchema, examples: pa.Table) -> TableSchema:
    """Texts at most a few times as long as the longest example: a longer grammar serves nobody."""
    for column in schema.columns:
        if not isinstance(column, TextColumn):
            continue
        lengths = [len(text) for text in examples.column(column.name).to_pylist() if text]
        bound = max(_LONGER * max(lengths, default=column.maximum_length), 80)
        if bound < column.maximum_length:
            schema = schema.with_column(replace(column, maximum_length=bound))
    return schema


def _plain(shares: Marginals | Mapping[str, Shares]) -> dict[str, object]:
    return {
        name: told if isinstance(told, str) else {str(value): p for value, p in told.items()}
        for name, told in shares.items()
    }
