"""The public face: fit a table, sample rows, save, load."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from llmsynth.bundle.bundle import Bundle
from llmsynth.codec.row_language import RowLanguage
from llmsynth.engines.compact_sampler import CompactSampler
from llmsynth.errors import BundleError, ConditionError, NotFittedError, SettingsError
from llmsynth.generation.conditions import Conditions
from llmsynth.generation.generator import Generator, SamplingSettings
from llmsynth.generation.sample import Sample
from llmsynth.models.compact import CompactShape
from llmsynth.models.llama_checkpoint import from_llama, llama_config, to_llama
from llmsynth.progress import Progress, silent
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.learning import Overrides, learn, own_torch_state, sampling_precision
from llmsynth.synthesizers.preparation import prepare, usual_order
from llmsynth.synthesizers.provenance import provenance
from llmsynth.tables.reading import read_table

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource

MODELS = ("compact",)


class Synthesizer:
    """Learns a table and writes new rows of it.

    Args:
        model: `compact`, a small transformer trained from scratch.
        target: a column whose relation to the others matters most.
        schema: the table's schema; inferred when omitted.
        missing: cell texts that mean "missing" in a CSV file, besides the empty cell.
        keep_rare: learn values held by fewer than five rows, too.
        drop_text: leave free-text columns out instead of refusing them.
        max_minutes, max_epochs: budgets of the fit; whichever ends first.
        hidden_size, num_layers, batch_rows: sizes to use instead of those chosen from the table.
        seed: decides weights and training order; same seed and data, same model.

    Attributes:
        schema_: the schema that was learned; rare values are not in it.
        provenance_: where the model comes from, JSON-ready.
        fit_seconds_: wall time of `fit`.
    """

    def __init__(
        self,
        *,
        model: str = "compact",
        target: str | None = None,
        schema: TableSchema | None = None,
        missing: Sequence[str] = (),
        keep_rare: bool = False,
        drop_text: bool = False,
        max_minutes: float | None = None,
        max_epochs: float | None = None,
        hidden_size: int | None = None,
        num_layers: int | None = None,
        batch_rows: int | None = None,
        seed: int = 0,
    ) -> None:
        if model not in MODELS:
            raise SettingsError(f"model must be one of {', '.join(MODELS)}, got {model!r}.")
        self.model = model
        self.target = target
        self.schema = schema
        self.missing = tuple(missing)
        self.keep_rare = keep_rare
        self.drop_text = drop_text
        self.max_minutes = max_minutes
        self.max_epochs = max_epochs
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.batch_rows = batch_rows
        self.seed = seed

    def fit(
        self,
        table: TableSource,
        *,
        checkpoint_dir: str | Path | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Learn a table: a path, DataFrame, Arrow table or Dataset.

        Ctrl-C ends the training early and keeps what was learned; with `checkpoint_dir`, a later
        fit of the same table and settings goes on from there.

        Raises:
            SettingsError: a size or budget that is not above 0.
            TableError, SchemaError: the table or schema cannot be learned as it stands.
            TrainingError: the training diverged.
        """
        started = time.perf_counter()
        overrides = Overrides(
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            batch_rows=self.batch_rows,
            max_epochs=self.max_epochs,
            max_minutes=self.max_minutes,
        )
        prepared = prepare(
            read_table(table, missing=self.missing),
            self.schema,
            target=self.target,
            keep_rare=self.keep_rare,
            drop_text=self.drop_text,
        )
        with own_torch_state():
            self.model_, self.training_ = learn(
                prepared,
                target=self.target,
                seed=self.seed,
                overrides=replace(overrides, max_minutes=self._minutes_left(started)),
                folder=Path(checkpoint_dir) if checkpoint_dir is not None else None,
                progress=progress,
            )
        self.language_ = prepared.language
        self.flat_places_ = prepared.flat
        self.order_ = usual_order(prepared.language, self.target)
        self.fit_seconds_ = time.perf_counter() - started
        self.provenance_ = provenance(self, prepared)
        return self

    def _minutes_left(self, started: float) -> float | None:
        if self.max_minutes is None:
            return None
        return max(self.max_minutes - (time.perf_counter() - started) / 60, 0.01)

    @property
    def schema_(self) -> TableSchema:
        """The schema that was learned."""
        return self._fitted().schema

    def sample(
        self,
        n: int | None = None,
        *,
        where: Mapping[str, object] | None = None,
        given: TableSource | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        max_attempts: int = 20,
        max_seconds: float | None = None,
        progress: Progress = silent,
    ) -> Sample:
        """Draw `n` rows at once; see `iter_sample` for tables larger than memory.

        Args:
            n: rows; may be omitted with `given`, which brings its own number.
            where: column to value, the same for all rows.
            given: some columns of the rows to be made, one row each.
            seed: same seed, same table, however many rows are drawn at a time.
            max_attempts: draws a row may take to satisfy declared constraints.
            max_seconds: wall-clock limit.

        Returns:
            The rows and a report; `report.is_partial` where a bound cut the run short.

        Raises:
            NotFittedError: nothing was learned yet.
            ConditionError: a condition the schema cannot hold.
        """
        settings = SamplingSettings(
            seed=seed,
            temperature=temperature,
            top_p=top_p,
            max_attempts=max_attempts,
            max_seconds=max_seconds,
        )
        generator, num_rows = self._generator(settings, n, where, given, progress)
        # The empty table is what is left where `max_seconds` allows not even one block.
        chunks = [_empty(self.schema_), *generator.chunks(num_rows)]
        return Sample(pa.concat_tables(chunks), self.schema_, generator.report)

    def iter_sample(
        self,
        n: int | None = None,
        *,
        where: Mapping[str, object] | None = None,
        given: TableSource | None = None,
        settings: SamplingSettings | None = None,
        progress: Progress = silent,
    ) -> tuple[Generator, Iterator[pa.Table]]:
        """Draw rows as a stream of Arrow tables, in memory that does not grow with `n`.

        Returns:
            The run, whose `report` fills as it goes, and the chunks.
        """
        generator, num_rows = self._generator(
            settings or SamplingSettings(), n, where, given, progress
        )
        return generator, generator.chunks(num_rows)

    def _generator(
        self,
        settings: SamplingSettings,
        n: int | None,
        where: Mapping[str, object] | None,
        given: TableSource | None,
        progress: Progress,
    ) -> tuple[Generator, int]:
        language = self._fitted()
        rows = None if given is None else read_table(given, missing=self.missing)
        conditions = Conditions(language, where=where, given=rows)
        if conditions.num_rows is not None:
            if n is not None and n != conditions.num_rows:
                raise ConditionError(
                    f"n is {n}, and the given table has {conditions.num_rows} rows."
                )
            n = conditions.num_rows
        if n is None or n < 1:
            raise SettingsError(f"n must be at least 1, got {n}.")
        sampler = CompactSampler(
            self.model_, language, flat_places=self.flat_places_, dtype=sampling_precision()
        )
        return Generator(sampler, self.order_, settings, conditions, progress), n

    def _fitted(self) -> RowLanguage:
        language: RowLanguage | None = getattr(self, "language_", None)
        if language is None:
            raise NotFittedError("This synthesizer has learned nothing yet.")
        return language

    def save(self, folder: str | Path) -> Path:
        """Write the fitted synthesizer as a bundle of safetensors and JSON files."""
        language = self._fitted()
        shape = self.model_.shape
        own = {
            "order": self.order_,
            "flat_places": sorted(self.flat_places_),
            "target": self.target,
            "missing": list(self.missing),
        }
        bundle = Bundle(
            tensors=to_llama(self.model_),
            config={**llama_config(shape), "llmsynth": own},
            vocabulary=language.vocabulary(),
            schema=language.schema,
            provenance=self.provenance_,
        )
        bundle.save(Path(folder))
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a synthesizer that `save` wrote.

        Raises:
            BundleError: the folder holds none, or a broken one.
        """
        bundle = Bundle.load(Path(folder))
        config = bundle.config
        own = config.get("llmsynth")
        if not isinstance(own, dict):
            raise BundleError(f"{folder}: config.json was not written by llmsynth.")
        try:
            language = RowLanguage(bundle.schema)
            shape = CompactShape(
                hidden_size=int(str(config["hidden_size"])),
                num_layers=int(str(config["num_hidden_layers"])),
                num_heads=int(str(config["num_attention_heads"])),
                intermediate_size=int(str(config["intermediate_size"])),
                place_sizes=tuple(int(size) for size in language.place_sizes),
            )
            self = cls(target=own["target"], missing=own["missing"])
            self.order_ = [int(column) for column in own["order"]]
            self.flat_places_ = frozenset(int(place) for place in own["flat_places"])
        except (KeyError, ValueError, TypeError) as error:
            raise BundleError(f"{folder}: config.json lacks or breaks {error}.") from error
        if shape.num_heads < 1 or shape.hidden_size % shape.num_heads:
            raise BundleError(f"{folder}: config.json asks for {shape.num_heads} attention heads.")
        self.model_ = from_llama(shape, dict(bundle.tensors))
        self.language_ = language
        self.provenance_ = dict(bundle.provenance)
        return self


def _empty(schema: TableSchema) -> pa.Table:
    return pa.schema([(c.name, arrow_type(c.storage)) for c in schema.columns]).empty_table()
