"""Learns a table's free texts under differential privacy: an adapter of a pretrained model.

The texts follow the typed columns, which the compact model writes. Nothing else of them is kept: no
hashes for the copy guard, no lengths; how long a text may be is the schema's to declare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from peft import PeftModel

from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.row_tokens import CellTokens, RowTokens, TokenizedRow
from llmsynth.errors import SettingsError
from llmsynth.models.precision import fastest_dtype
from llmsynth.models.pretrained import Pretrained, load_pretrained
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.progress import Progress
from llmsynth.schema.columns import TextColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.compact_learner import CompactLearner
from llmsynth.synthesizers.private_codes import encode_leniently
from llmsynth.synthesizers.private_sizes import TextSizes, text_sizes
from llmsynth.synthesizers.private_statistics import PrivateStatistics
from llmsynth.synthesizers.text_bounds import cut_text
from llmsynth.synthesizers.text_fitting import written_schema
from llmsynth.synthesizers.text_learner import TextLearner
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.synthesizers.tuned_model import BaseModel, TunedModel
from llmsynth.tables.conforming import fitting_cells
from llmsynth.training.lora import learned_weights, with_adapter
from llmsynth.training.private_adapter import AdapterUnitGradients
from llmsynth.training.private_loop import PrivateTrainer, PrivateTrainingSettings
from llmsynth.training.row_orders import RowOrders


class PrivateTexts:
    """The texts of a table, the model that learns them, and the learner that comes of it.

    Raises:
        ModelError: there is no such model.
    """

    def __init__(
        self,
        table: pa.Table,
        model: str,
        settings: TextSettings,
        *,
        seed: int,
        source: NoiseSource,
        progress: Progress,
    ) -> None:
        self._table, self._seed, self._source = table, seed, source
        self._progress = progress
        # Hashes of the training texts would leave with the bundle.
        self._settings = replace(settings, copy_guard=None)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._base: Pretrained = load_pretrained(
            model,
            dtype=fastest_dtype(device),
            device=device,
            four_bit=settings.tuning.four_bit,
        )
        self._identity = BaseModel(name=model, sha256=self._base.fingerprint())
        self._adapted: PeftModel | None = None

    def sizes(self, num_units: int) -> TextSizes:
        """Sizes for a table of about so many units."""
        return replace(text_sizes(num_units), learning_rate=self._settings.tuning.learning_rate)

    def learn(
        self, statistics: PrivateStatistics, training: PrivateTrainingSettings, rate: float
    ) -> int:
        """Train the adapter on the rows' texts; returns the steps taken."""
        tuning = replace(self._settings.tuning, seed=self._seed)
        self._adapted = with_adapter(self._base.model, tuning)
        self._adapted.train()
        rows = _TextRows(
            self._table,
            statistics,
            RowTokens(
                RowLanguage(written_schema(statistics.language.schema)), self._base.tokenizer
            ),
            self._seed,
        )
        padding = self._base.tokenizer.eos_token_id
        assert isinstance(padding, int)
        gradients = AdapterUnitGradients(
            self._adapted, rows.row, padding=padding, longest=tuning.max_tokens
        )
        steps = PrivateTrainer(
            gradients,
            torch.arange(len(statistics.units.rows))[:, None],
            statistics.units,
            sampling_rate=rate,
            settings=training,
            source=self._source,
            progress=self._progress,
        ).run()
        self._adapted.eval()
        return steps

    def learner(self, compact: CompactLearner) -> TextLearner:
        """What draws rows: the compact model, and the adapter behind it."""
        assert self._adapted is not None
        return TextLearner(
            language=compact.language,
            tuned=TunedModel(
                self._identity,
                folder=self._base.folder,
                four_bit=self._settings.tuning.four_bit,
                model=self._adapted,
            ),
            tokenizer=self._base.tokenizer,
            compact=compact,
            spans=None,
            settings=self._settings,
            parameters=sum(w.numel() for w in learned_weights(self._adapted).values()),
        )


def refuse_all_but_joint(schema: TableSchema | None, settings: TextSettings) -> None:
    """Refuse what has no private fit.

    Raises:
        SettingsError: no declared texts, no typed columns, or settings that mean another path.
    """
    is_text = [isinstance(c, TextColumn) for c in schema.columns] if schema is not None else []
    if not any(is_text) or all(is_text):
        raise SettingsError(
            "A private fit of a language model needs a schema that declares which columns are free "
            "text, and others that are not.",
            hint="Give the schema (--schema), or leave `model` (--model) at compact.",
        )
    if settings.path != "joint" or settings.processes != 1:
        raise SettingsError(
            "Under differential privacy the language model writes the texts alone, and learns in "
            f"one process; got the path {settings.path!r} and {settings.processes} processes."
        )


class _TextRows:
    """Rows as the language model learns them: typed cells are read, texts are learned."""

    def __init__(
        self, table: pa.Table, statistics: PrivateStatistics, tokens: RowTokens, seed: int
    ) -> None:
        self._tokens, self._generator = tokens, np.random.default_rng(seed)
        schema = tokens.language.schema
        is_text = [isinstance(column, TextColumn) for column in schema.columns]
        self._orders = RowOrders(
            structured=tuple(np.flatnonzero(~np.array(is_text)).tolist()),
            texts=tuple(np.flatnonzero(is_text).tolist()),
            is_joint=True,
            texts_first_share=0.0,
        )
        rows = table.take(pa.array(statistics.units.rows))
        self._cells = [
            _text_cells(rows.column(c.name), c, tokens)
            if isinstance(c, TextColumn)
            else _typed_cells(rows, statistics.language, c.name, tokens)
            for c in schema.columns
        ]

    def row(self, number: int) -> TokenizedRow:
        """One row, its columns in an order drawn anew."""
        columns, num_context = self._orders.draw(self._generator)
        cells = {index: column[number] for index, column in enumerate(self._cells)}
        return self._tokens.row(columns, cells, num_context)


def _text_cells(
    cells: pa.ChunkedArray, column: TextColumn, tokens: RowTokens
) -> Sequence[CellTokens]:
    """Tokens of texts, cut where the schema ends them; None where one may not be missing and is."""
    texts = [cut_text(t, column.maximum_length) for t in fitting_cells(column, cells).to_pylist()]
    known = np.array([text is not None or column.nullable for text in texts])
    fitting = pa.array([t for t, ok in zip(texts, known, strict=True) if ok], pa.string())
    return _spread(fitting.cast(cells.type), known, column.name, tokens)


def _typed_cells(
    rows: pa.Table, language: RowLanguage, name: str, tokens: RowTokens
) -> Sequence[CellTokens]:
    """Tokens of a typed column's cells; None where one is none of the released values."""
    part = RowLanguage(TableSchema(columns=(language.schema.column(name),)))
    codes = encode_leniently(rows, part, np.arange(rows.num_rows))
    if not codes.shape[1]:
        return [None] * rows.num_rows
    known = codes[:, 0] >= 0
    return _spread(part.decode(codes[known]).column(0), known, name, tokens)


def _spread(
    cells: pa.Array | pa.ChunkedArray, known: npt.NDArray[np.bool_], name: str, tokens: RowTokens
) -> list[CellTokens]:
    encoded = iter(tokens.cells(pa.table({name: cells}))[name])
    return [next(encoded) if is_known else None for is_known in known.tolist()]
