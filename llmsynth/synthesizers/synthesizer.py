"""The public face: fit a table, sample rows, save, load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.bundle.bundle import Bundle
from llmsynth.bundle.owner import OwnerFolder
from llmsynth.errors import BundleError, NotFittedError, SettingsError
from llmsynth.generation.generator import SamplingSettings
from llmsynth.generation.sample import Sample
from llmsynth.models.model_names import PACKAGED, may_name_a_model
from llmsynth.privacy.settings import asked_privacy
from llmsynth.progress import Progress, silent
from llmsynth.schema.personal_kinds import declared_kind
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.decisions import Decisions
from llmsynth.synthesizers.drawing_engine import DrawingEngine, EngineWish
from llmsynth.synthesizers.learner import Given, Learner, RowRun
from llmsynth.synthesizers.learning import Overrides
from llmsynth.synthesizers.personal_columns import checked_choice
from llmsynth.synthesizers.plain_fit import COMPACT, fit_plainly
from llmsynth.synthesizers.saved import saved_learner, saved_settings
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.tables.reading import read_table
from llmsynth.tables.reading_notes import notes_of
from llmsynth.training.launching import Launcher
from llmsynth.training.loop import TrainingReport

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource


class Synthesizer:
    """Learns a table and writes new rows of it.

    Args:
        model: `compact`, a small transformer trained from scratch; or a pretrained one to be
            fine-tuned: a short name, a hub id, or a local folder.
        target: a column whose relation to the others matters most.
        schema: the table's schema; inferred when omitted.
        missing: cell texts that mean "missing" in a CSV file, besides the empty cell.
        keep_rare: learn values held by fewer than five rows, too.
        drop_text: leave free-text columns out, and category columns of mostly rare levels as they
            are, instead of learning to spell both.
        max_minutes, max_epochs: budgets of the fit; whichever ends first.
        hidden_size, num_layers, batch_rows: sizes to use instead of those chosen from the table.
        text: how a pretrained model learns, and what of the table it writes.
        seed: decides weights and training order; same seed and data, same model.
        epsilon, delta: fit under differential privacy; delta is 1 / (10 units) when omitted.
        entity, rows_per_entity: column that says whose row it is, and how many of each are read.
        insecure_seed: makes the private noise repeatable, for experiments only.
        personal_data: what becomes of names, e-mail addresses, phone numbers and ids of people
            that are found in columns, and in texts that a pretrained model learns: `replace` them
            by pseudonyms before anything is learned, `keep` them, or `refuse` the table. A private
            fit has its own rule for what comes out of it.
        personal: column to kind of personal data, or to "none", where what is found is wrong; the
            same as `personal` of a schema's column, and before it.
        find_rules: where no schema is given, look for rules that every row keeps (sums, products,
            what one column fixes of another, what comes first), and keep them in every new row.
        context: columns that are given whenever rows are drawn; the compact model learns the
            others under them, in table order.

    Attributes:
        learner_: the model that learned the table.
        training_: how its training went.
        schema_: the schema that was learned; rare values are not in it.
        provenance_: where the model comes from, JSON-ready.
        record_key_: key of the record's hashes, kept in the owner's folder; None where it is not.
        fit_seconds_: wall time of `fit`.
    """

    learner_: Learner
    training_: TrainingReport
    provenance_: dict[str, object]
    record_key_: bytes | None = None
    fit_seconds_: float

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
        text: TextSettings | None = None,
        seed: int = 0,
        epsilon: float | None = None,
        delta: float | None = None,
        entity: str | None = None,
        rows_per_entity: int = 1,
        insecure_seed: int | None = None,
        context: Sequence[str] = (),
        personal_data: str = "replace",
        personal: Mapping[str, str] | None = None,
        find_rules: bool = True,
    ) -> None:
        if context and (model != COMPACT or epsilon is not None or target in context):
            raise SettingsError(
                "context is for the compact model, without epsilon, and cannot hold the target."
            )
        if model != COMPACT and not may_name_a_model(model):
            raise SettingsError(
                f"model must be {COMPACT}, {', '.join(PACKAGED)}, a hub id (owner/model) or a "
                f"local folder, got {model!r}."
            )
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
        self.text = text or TextSettings()
        self.seed = seed
        self.context = tuple(context)
        self.personal_data = checked_choice(personal_data)
        self.personal = dict(personal or {})
        for name, kind in self.personal.items():
            declared_kind(name, kind)
        if self.personal and epsilon is not None:
            raise SettingsError(
                "personal is for fits without epsilon: a private fit learns no cell as it is.",
                hint="Leave out the columns of people, or name their kind (identifier) in the "
                "schema.",
            )
        self.find_rules = find_rules
        self.privacy = asked_privacy(epsilon, delta, entity, rows_per_entity, insecure_seed)

    def fit(
        self,
        table: TableSource,
        *,
        checkpoint_dir: str | Path | None = None,
        progress: Progress = silent,
        entities: npt.NDArray[np.int64] | None = None,
        to_fill: Mapping[str, npt.NDArray[np.bool_]] | None = None,
        launcher: Launcher | None = None,
        sampled_from: Mapping[str, object] | None = None,
        decided: Callable[[Decisions], None] | None = None,
    ) -> Self:
        """Learn a table: a path, DataFrame, Arrow table or Dataset.

        Ctrl-C ends the training early and keeps what was learned; with `checkpoint_dir`, a later
        fit of the same table and settings goes on from there.

        Args:
            entities: int64 (rows,), whose row each is: what fewer than five of them hold is not
                learned. Without it each row counts.
            to_fill: column to bool (rows,), cells that are not known and are to be drawn later, as
                `llmsynth.impute` does: they take no part, and rows are learned given any part of
                their columns.
            launcher: what starts the training's processes, such as `cluster.RayLauncher`.
            sampled_from: what the record is to say of a larger table that `table` is a sample of.
            decided: told what becomes of each column, before anything is learned; the record has
                it under `decided`. A private fit decides by its schema, and tells nothing here.

        Raises:
            SettingsError: a size or budget that is not above 0; cells to fill that the table lacks,
                or with an epsilon.
            TableError, SchemaError: the table or schema cannot be learned as it stands.
            TrainingError: the training diverged.
            PrivacyError: the privacy that was asked for cannot be claimed.
        """
        started = time.perf_counter()
        overrides = Overrides(
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            batch_rows=self.batch_rows,
            max_epochs=self.max_epochs,
            max_minutes=self.max_minutes,
        )
        source = read_table(table, missing=self.missing)
        folder = Path(checkpoint_dir) if checkpoint_dir is not None else None
        if self.privacy is not None:
            if to_fill:
                raise SettingsError("A private fit cannot leave out the cells of to_fill.")
            # Reaches the accountants, which are an extra of their own.
            from llmsynth.synthesizers.private_fit import fit_privately

            fit_privately(self, source, folder, progress)
            return self
        fit_plainly(
            self,
            source,
            overrides,
            folder=folder,
            progress=progress,
            entities=entities,
            to_fill=to_fill,
            launcher=launcher,
            started=started,
            decided=decided,
        )
        if sampled_from:
            self.provenance_["sampled_from"] = dict(sampled_from)
        if notes := notes_of(source):
            self.provenance_["reading"] = [note.to_json() for note in notes]
        return self

    @property
    def schema_(self) -> TableSchema:
        """The schema that was learned."""
        return self._fitted().language.schema

    @property
    def block_rows(self) -> int:
        """Rows the model draws together: parts of a table that begin at its multiples
        (`SamplingSettings.first_row`) are bit for bit those of a single run.
        """
        return self._fitted().block_rows

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
        engine: EngineWish = None,
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
            engine: what runs a pretrained model: `"local"`, `"vllm"`, an `EngineChoice`, or an
                open engine, which stays open.

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
        run, chunks = self.iter_sample(
            n, where=where, given=given, settings=settings, engine=engine, progress=progress
        )
        # The empty table is what is left where `max_seconds` allows not even one block.
        return Sample(pa.concat_tables([_empty(self.schema_), *chunks]), self.schema_, run.report)

    def iter_sample(
        self,
        n: int | None = None,
        *,
        where: Mapping[str, object] | None = None,
        given: TableSource | None = None,
        settings: SamplingSettings | None = None,
        engine: EngineWish = None,
        progress: Progress = silent,
    ) -> tuple[RowRun, Iterator[pa.Table]]:
        """Draw rows as a stream of Arrow tables, in memory that does not grow with `n`.

        Returns:
            The run, whose `report` fills as it goes, and the chunks.
        """
        drawing = DrawingEngine(self._fitted(), engine)
        try:
            run, num_rows = self._run(
                drawing, settings or SamplingSettings(), n, where, given, progress
            )
        except BaseException:
            drawing.close()
            raise
        return run, drawing.closing(run.chunks(num_rows))

    def _run(
        self,
        drawing: DrawingEngine,
        settings: SamplingSettings,
        n: int | None,
        where: Mapping[str, object] | None,
        given: TableSource | None,
        progress: Progress,
    ) -> tuple[RowRun, int]:
        rows = None if given is None else read_table(given, missing=self.missing)
        fixed = Given(where=where or {}, table=rows)
        fixed.check_context(self.context)
        return drawing.run(fixed, settings, progress), fixed.num_rows(n)

    def _fitted(self) -> Learner:
        learner: Learner | None = getattr(self, "learner_", None)
        if learner is None:
            raise NotFittedError("This synthesizer has learned nothing yet.")
        return learner

    def save(self, folder: str | Path, *, owner: OwnerFolder | None = None) -> Path:
        """Write the fitted synthesizer as a bundle of safetensors and JSON files.

        What tells of single training rows goes into the owner's folder, which is not to be shipped.

        Args:
            owner: that folder; the one beside `folder` when omitted.
        """
        owner = owner or OwnerFolder.of(folder)
        settings: dict[str, object] = {"target": self.target, "missing": list(self.missing)}
        if self.context:
            settings["context"] = list(self.context)
        self._fitted().save(Path(folder), settings=settings, record=dict(self.provenance_))
        self._fitted().save_guard(owner)
        if self.record_key_ is not None:
            owner.write_key(self.record_key_)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path, *, owner: OwnerFolder | None = None) -> Self:
        """Read a synthesizer that `save` wrote.

        Args:
            owner: the owner's folder; the one beside `folder` when omitted. Without it the
                memorization guard is absent, and samples say so.

        Raises:
            BundleError: the folder holds none, or a broken one.
            ModelError: the pretrained model it was fitted on is not on this machine.
        """
        bundle = Bundle.load(Path(folder))
        settings = saved_settings(bundle, Path(folder))
        try:
            self = cls(**settings)
        except (TypeError, SettingsError) as error:
            raise BundleError(f"{folder}: config.json lacks or breaks {error}.") from error
        owner = owner or OwnerFolder.of(folder)
        self.learner_ = saved_learner(bundle, Path(folder), self.model, self.text, owner)
        self.record_key_ = owner.read_key()
        self.provenance_ = dict(bundle.provenance)
        return self


def _empty(schema: TableSchema) -> pa.Table:
    return pa.schema([(c.name, arrow_type(c.storage)) for c in schema.columns]).empty_table()
