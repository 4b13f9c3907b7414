"""Completes rows through an engine: known cells become prefixes, drawn texts become cells again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.row_tokens import RowTokens
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.codec.token_spelling import Tokenizer
from llmsynth.engines.adapter import Adapter
from llmsynth.engines.engine import FinishedRow, RowEngine, RowRequest, SamplingSettings
from llmsynth.schema.storage import arrow_type


@dataclass(frozen=True, kw_only=True)
class WrittenRows:
    """Whole rows, in the order they were asked for.

    table: every column of the row language, in its storage type.
    places: int64 (rows,), which of the rows asked for they are.
    given_up: how many rows ended unfinished, by reason.
    removed_mass: what the mask removed per step, one mean per row; engines that cannot tell
        leave their rows out.
    """

    table: pa.Table
    places: npt.NDArray[np.int64]
    given_up: Counter[str]
    removed_mass: list[float]


class RowWriter:
    """One table's rows on one engine.

    Args:
        adapter: what the engine puts on its base model; None where the model has it already.
    """

    def __init__(
        self,
        engine: RowEngine,
        tokens: RowTokens,
        tokenizer: Tokenizer,
        *,
        adapter: Adapter | None = None,
    ) -> None:
        self.engine, self.tokens, self._adapter = engine, tokens, adapter
        self._tokenizer = tokenizer
        self._automata: dict[tuple[int, ...], TokenAutomaton] = {}

    def write(
        self,
        known: pa.Table | None,
        num_rows: int,
        wanted: Sequence[str],
        settings: SamplingSettings,
        prompt_ids: Sequence[int] | None = None,
    ) -> WrittenRows:
        """Draw the wanted columns of rows whose other columns are known.

        Args:
            known: `num_rows` rows of all other columns; None where there are none.
            prompt_ids: what the model reads first; the tokens that begin any text if omitted.

        Raises:
            SchemaError: a known cell that the schema cannot hold.
            EngineError, SamplingError, OutOfMemoryError: see `RowEngine.rows`.
        """
        names = self.tokens.language.schema.names
        given = [] if known is None else [names.index(n) for n in names if n in known.column_names]
        columns = [names.index(name) for name in wanted]
        request = RowRequest(
            automaton=self._automaton((*given, *columns)),
            pattern=self.tokens.pattern_after(columns),
            prefix_ids=self._prefixes(known, given, columns[0], num_rows),
            prompt_ids=self.tokens.prompt_ids if prompt_ids is None else prompt_ids,
            settings=settings,
            adapter=self._adapter,
        )
        done = sorted(self.engine.rows(request), key=lambda row: row.number)
        return self._parsed(done, settings.first_row)

    def _parsed(self, done: Sequence[FinishedRow], first: int) -> WrittenRows:
        language = self.tokens.language
        whole = [row for row in done if row.is_whole]
        rows = [language.parse(row.text) for row in whole]
        table = pa.table(
            {
                column.name: pa.array(
                    [row[column.name] for row in rows], arrow_type(column.storage)
                )
                for column in language.schema.columns
            }
        )
        reasons = (row.problem or f"row not ended ({row.reason.name.lower()})" for row in done)
        return WrittenRows(
            table=table,
            places=np.array([row.number - first for row in whole], dtype=np.int64),
            given_up=Counter(
                reason for reason, row in zip(reasons, done, strict=True) if not row.is_whole
            ),
            removed_mass=[row.removed_mass for row in whole if row.removed_mass is not None],
        )

    def _prefixes(
        self, known: pa.Table | None, given: Sequence[int], then: int, num_rows: int
    ) -> list[list[int]]:
        if known is None or not given:
            return [self.tokens.prefix((), {}, then)] * num_rows
        names = self.tokens.language.schema.names
        cells = self.tokens.cells(known.select([names[column] for column in given]))
        by_column = {column: cells[names[column]] for column in given}
        return [
            self.tokens.prefix(given, {column: by_column[column][row] for column in given}, then)
            for row in range(num_rows)
        ]

    def _automaton(self, columns: tuple[int, ...]) -> TokenAutomaton:
        if columns not in self._automata:
            language = self.tokens.language
            pattern = language.regex([language.schema.names[column] for column in columns])
            self._automata[columns] = TokenAutomaton.compile(pattern, self._tokenizer)
        return self._automata[columns]
