"""A fine-tuned language model as a learner, alone or behind a compact one for typed columns."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from llmsynth.bundle.bundle import Bundle
from llmsynth.bundle.owner import OwnerFolder
from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.row_tokens import RowTokens
from llmsynth.codec.span_hashes import SpanHashes
from llmsynth.engines.copy_guard import CopyGuard
from llmsynth.engines.engine import RowEngine
from llmsynth.engines.engine_choice import EngineChoice, open_engine
from llmsynth.engines.local_engine import LocalEngine
from llmsynth.errors import BundleError, ConditionError, InputError
from llmsynth.generation.conditions import single
from llmsynth.generation.generator import SamplingSettings
from llmsynth.generation.row_writer import RowWriter
from llmsynth.generation.text_generator import TEXT_BLOCK_ROWS, Known, TextGenerator
from llmsynth.models.model_folder import fingerprint, weight_files
from llmsynth.models.pretrained import load_tokenizer, locate
from llmsynth.progress import Progress, silent
from llmsynth.schema.columns import IdentifierColumn, TextColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.compact_learner import CompactLearner
from llmsynth.synthesizers.learner import Given, RowRun
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.synthesizers.tuned_model import BaseModel, TunedModel
from llmsynth.tables.conforming import conform

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_BASE, _SPANS = "base", "spans.safetensors"
_BATCH_ROWS = 64


@dataclass(kw_only=True, eq=False)
class TextLearner:
    """A fine-tuned language model.

    language: of all columns.
    tuned: the base model and its adapter.
    compact: writes the typed columns where the texts are not given; None: everything is text.
    spans: hashes of what the texts must not repeat; None where they are off, or not here.
    is_guarded: whether the fit kept such hashes.
    """

    language: RowLanguage
    tuned: TunedModel
    tokenizer: PreTrainedTokenizerFast
    compact: CompactLearner | None
    spans: SpanHashes | None
    settings: TextSettings
    parameters: int
    is_guarded: bool = False

    def __post_init__(self) -> None:
        """Compile the row language for the tokenizer."""
        schema = self.language.schema
        names = [c.name for c in schema.columns if isinstance(c, IdentifierColumn)]
        self.row_tokens = RowTokens(RowLanguage(schema.without(names)), self.tokenizer)
        self._guard = None if self.spans is None else CopyGuard(self.spans)
        self._writer: RowWriter | None = None

    @property
    def block_rows(self) -> int:
        """Rows drawn together; see `Learner.block_rows`."""
        # A power of two that is no smaller, so that both models' blocks divide it.
        return TEXT_BLOCK_ROWS if self.compact is None else self.compact.block_rows

    def run(
        self,
        given: Given,
        settings: SamplingSettings,
        progress: Progress,
        engine: RowEngine | None = None,
    ) -> RowRun:
        """Begin to draw rows; see `Learner.run`.

        With a compact model, texts are written behind the columns it drew; where a text is given,
        the language model writes the other columns behind the text.

        Args:
            engine: what runs the base model, to which it adds the adapter; this process if
                omitted. Others know neither the copy guard nor how long a text may be: what holds a
                span or does not end is drawn again.
        """
        texts = [c.name for c in self.language.schema.columns if isinstance(c, TextColumn)]
        written = self.row_tokens.language.schema.names
        if self.compact is not None and not given.columns & set(texts):
            drawn = self.compact.run(given, settings, silent)
            source: Known = _Drawn(drawn, texts)
            before = drawn.report
            wanted = texts
        else:
            fixed, before = self._fixed(given), None
            source = _Fixed(fixed, None if given.table is None else given.table.num_rows)
            wanted = [name for name in written if name not in fixed.column_names]
            wanted.sort(key=lambda name: name in texts)
        if not wanted:
            raise ConditionError("Every column is given; none is left to write.")
        guard = None if self._guard is None or engine is not None else self._guard.counts
        return TextGenerator(
            self._ready_writer() if engine is None else self._writer_on(engine),
            self.language.schema,
            known=source,
            wanted=wanted,
            settings=settings,
            spans=self.spans,
            guard=guard,
            is_served=engine is not None,
            guard_state=self.memorization_guard,
            before=before,
            progress=progress,
        )

    def _fixed(self, given: Given) -> pa.Table:
        fixed = given_cells(self.language.schema, given)
        try:
            self.row_tokens.cells(fixed)
        except InputError as error:
            raise ConditionError(error.message) from error
        return fixed

    def opened(self, choice: EngineChoice) -> RowEngine | None:
        """The engine of a choice, ready for this table; None for this process.

        Raises:
            EngineError, MissingExtraError, SettingsError: see `open_engine`.
        """
        if choice.is_local:
            return None
        return open_engine(choice, model=self.tuned.folder, adapter_rank=self.tuned.rank)

    def _writer_on(self, engine: RowEngine) -> RowWriter:
        adapter = self.tuned.adapter()
        return RowWriter(engine, self.row_tokens, self.tokenizer, adapter=adapter)

    def _ready_writer(self) -> RowWriter:
        """The writer, made once; the adapter is folded into the weights, which saves time."""
        if self._writer is None:
            model = self.tuned.model
            if not self.settings.tuning.four_bit:
                model.merge_adapter()
            engine = LocalEngine(model, batch_size=_BATCH_ROWS, guard=self._guard)
            self._writer = RowWriter(engine, self.row_tokens, self.tokenizer)
        return self._writer

    def save(
        self, folder: Path, *, settings: Mapping[str, object], record: Mapping[str, object]
    ) -> None:
        """Write a bundle with the adapter beside it; see `Learner.save`."""
        text = {
            "path": "pretrained" if self.compact is None else "joint",
            "base": asdict(self.tuned.base),
            "copy_guard": self.settings.copy_guard if self.is_guarded else None,
            "four_bit": self.settings.tuning.four_bit,
            "parameters": self.parameters,
        }
        own = {**settings, "text": text}
        if self.compact is not None:
            self.compact.save(folder, settings=own, record=record)
        else:
            Bundle(
                tensors={},
                config={"llmsynth": own},
                vocabulary=[],
                schema=self.language.schema,
                provenance=record,
            ).save(folder)
        self.tuned.save(folder)
        if self.settings.with_base:
            _copy_base(self.tuned.folder, folder / _BASE)

    @property
    def memorization_guard(self) -> str | None:
        """Whether long spans of training texts are held back; see `Learner.memorization_guard`."""
        if not any(isinstance(c, TextColumn) for c in self.language.schema.columns):
            return None
        if not self.is_guarded:
            return "off"
        return "absent" if self.spans is None else "present"

    def save_guard(self, owner: OwnerFolder) -> None:
        """Write the spans' hashes; see `Learner.save_guard`.

        With their key they can be walked, token by token, back to the texts.
        """
        path = owner.guard / _SPANS
        if self.spans is None:
            path.unlink(missing_ok=True)
            return
        owner.make(owner.guard)
        self.spans.save(path)

    def facts(self) -> dict[str, object]:
        """Base model and sizes; see `Learner.facts`."""
        return {
            "base": asdict(self.tuned.base),
            "parameters": self.parameters,
            "text_path": "pretrained" if self.compact is None else "joint",
            "compact": None if self.compact is None else self.compact.facts(),
            "guarded_spans": None if self.spans is None else len(self.spans.hashes),
        }

    @classmethod
    def load(cls, bundle: Bundle, folder: Path, settings: TextSettings, owner: OwnerFolder) -> Self:
        """The learner back from its bundle and its base model.

        Without the owner's folder it draws unguarded, and says so in `memorization_guard`.

        Raises:
            BundleError: the bundle is broken, or its base model is another by now.
            ModelError: the base model is not on this machine.
        """
        own = bundle.config["llmsynth"]
        assert isinstance(own, dict)
        try:
            text = own["text"]
            base = BaseModel(name=str(text["base"]["name"]), sha256=str(text["base"]["sha256"]))
            parameters, guarded = int(text["parameters"]), text["copy_guard"] is not None
            is_joint, four_bit = text["path"] == "joint", bool(text["four_bit"])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{folder}: config.json lacks or breaks {error}.") from error
        name = str(folder / _BASE) if (folder / _BASE).is_dir() else base.name
        loaded = locate(name)
        if fingerprint(loaded) != base.sha256:
            raise BundleError(
                f"{folder} was fitted on another {base.name} than the one in {loaded}.",
                hint="Fetch the same model again, or fit anew.",
            )
        has_text = any(isinstance(c, TextColumn) for c in bundle.schema.columns)
        # Builds of before the owner's folder wrote them into the bundle.
        places = [owner.guard / _SPANS, folder / _SPANS] if guarded and has_text else []
        found = next((path for path in places if path.is_file()), None)
        kept = settings if guarded else replace(settings, copy_guard=None)
        return cls(
            language=RowLanguage(bundle.schema),
            tuned=TunedModel.in_bundle(folder, base, loaded, four_bit=four_bit),
            tokenizer=load_tokenizer(str(loaded)),
            compact=CompactLearner.load(bundle, folder) if is_joint else None,
            spans=None if found is None else SpanHashes.load(found),
            settings=kept,
            parameters=parameters,
            is_guarded=guarded and has_text,
        )


class _Drawn:
    """Rows whose typed columns a compact model draws."""

    def __init__(self, run: RowRun, texts: list[str]) -> None:
        self._run, self._texts = run, texts

    def __call__(self, num_rows: int) -> Iterator[tuple[int, pa.Table | None]]:
        for chunk in self._run.chunks(num_rows):
            yield chunk.num_rows, chunk.drop_columns(self._texts)


class _Fixed:
    """Rows of which some columns are given."""

    def __init__(self, fixed: pa.Table, num_rows: int | None) -> None:
        self._fixed, self._num_rows = fixed, num_rows

    def __call__(self, num_rows: int) -> Iterator[tuple[int, pa.Table | None]]:
        if not self._fixed.num_columns:
            yield num_rows, None
        elif self._num_rows is not None:
            yield self._num_rows, self._fixed
        else:
            yield num_rows, self._fixed.take(pa.array([0] * num_rows, pa.int64()))


def given_cells(schema: TableSchema, given: Given) -> pa.Table:
    """The given columns in their storage types; one row where all rows have the same.

    Raises:
        ConditionError: a column or cell that the schema cannot hold.
    """
    columns: dict[str, pa.ChunkedArray] = {}
    num_rows = 1 if given.table is None else given.table.num_rows
    for name, value in given.where.items():
        columns[name] = single(name, value).take(pa.array([0] * num_rows, pa.int64()))
    for name, cells in _named_columns(given.table):
        if name in columns:
            raise ConditionError(f"Column {name!r} is given twice: by where and by given.")
        columns[name] = cells
    writable = [c.name for c in schema.columns if not isinstance(c, IdentifierColumn)]
    for name in columns:
        if name not in writable:
            raise ConditionError(
                f"Column {name!r} cannot be given; there are {', '.join(map(repr, writable))}."
            )
    part = (
        schema.without([name for name in schema.names if name not in columns]) if columns else None
    )
    try:
        return pa.table({}) if part is None else conform(pa.table(columns), part)
    except InputError as error:
        raise ConditionError(error.message) from error


def _named_columns(table: pa.Table | None) -> list[tuple[str, pa.ChunkedArray]]:
    return [] if table is None else list(zip(table.column_names, table.columns, strict=True))


def _copy_base(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    names = [path for path in source.iterdir() if path.suffix in (".json", ".jinja")]
    for path in [*names, *weight_files(source)]:
        shutil.copyfile(path, target / path.name)
