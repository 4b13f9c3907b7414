"""Rows by prompt: valid whatever is written, quotas met, copies and duplicates turned away."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from llmsynth import PromptedSynthesizer, PromptSettings
from llmsynth.engines.engine import FinishedRow, RowRequest
from llmsynth.engines.stop_reason import StopReason
from llmsynth.errors import ConditionError, EngineError, SchemaError, SettingsError
from llmsynth.schema import (
    CategoryColumn,
    Column,
    IdentifierColumn,
    Inequality,
    NumberColumn,
    Sum,
    TableSchema,
    TextColumn,
)
from llmsynth.tables import conform

COLUMNS: tuple[Column, ...] = (
    IdentifierColumn(name="id", pattern=r"P\d{4}"),
    NumberColumn(name="age", minimum="0", maximum="99", description="Age in years"),
    CategoryColumn(name="job", categories=("baker", "clerk", "pilot")),
    CategoryColumn(name="well", categories=("no", "yes"), nullable=True),
    TextColumn(name="note", maximum_length=24),
)
SCHEMA = TableSchema(columns=COLUMNS)
ROWS = [
    ("P0001", 30, "baker", "yes", "slept well for days"),
    ("P0002", 41, "clerk", "no", "a cough that stays on"),
    ("P0003", 52, "clerk", None, "back pain at the desk"),
    ("P0004", 63, "clerk", "yes", "came for a check only"),
]
EXAMPLES = pa.table(
    {name: list(cells) for name, cells in zip(SCHEMA.names, zip(*ROWS, strict=True), strict=True)}
)


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny model, with a context that holds prompts."""
    folder = tmp_path_factory.mktemp("prompted") / "wide"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 2048}))
    return str(folder)


class Parrot:
    """An engine that ends every row as it is told, whatever the prompt says."""

    name, context_length = "parrot", 4096

    def __init__(self, *endings: str) -> None:
        self.endings, self.requests, self.turn = endings, list[RowRequest](), 0

    def rows(self, request: RowRequest) -> Iterator[FinishedRow]:
        self.requests.append(request)
        for place, prefix in enumerate(request.prefix_ids):
            ending = self.endings[self.turn % len(self.endings)]
            self.turn += 1
            begun = request.automaton.text(list(prefix))
            yield FinishedRow(
                number=request.settings.first_row + place,
                token_ids=(),
                text=begun + ending,
                reason=StopReason.FINISHED if ending.endswith("\n") else StopReason.CONTEXT_LENGTH,
            )

    def close(self) -> None:
        """Nothing is held."""


def prompted(model: str, **options: object) -> PromptedSynthesizer:
    given = {"schema": SCHEMA, "examples": EXAMPLES, "model": model} | options
    return PromptedSynthesizer(**given)  # type: ignore[arg-type]


def test_rows_are_valid_new_and_meet_their_quotas(model: str) -> None:
    settings = PromptSettings(rows_per_prompt=8)
    synthesizer = prompted(model, target="job", instruction="Patients.", settings=settings)
    sample = synthesizer.sample(20, quotas={"well": {"yes": 0.3}, "job": {"pilot": 0.5}}, seed=3)
    report = sample.report
    assert (len(sample), report.rows, report.dropped, report.stopped) == (20, 20, {}, "complete")
    assert conform(sample.table, SCHEMA).equals(sample.table)
    assert sample.table["well"].to_pylist().count("yes") == 6
    assert sample.table["job"].to_pylist().count("pilot") == 10
    rows = {tuple(row.values())[1:] for row in sample.table.to_pylist()}
    assert len(rows) == 20
    assert not rows & {row[1:] for row in ROWS}
    assert len(set(sample.table["id"].to_pylist())) == 20
    assert (report.prompts, report.drawn, report.fewest_examples) == (3, 20, 4)
    assert report.text_masked_mass is not None


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(model: str) -> None:
    first, second = (prompted(model).sample(5, seed=7).table for _ in range(2))
    assert first.equals(second)
    assert not first.equals(prompted(model).sample(5, seed=8).table)


def test_the_record_names_what_made_the_rows_but_holds_no_example(model: str) -> None:
    sample = prompted(model).sample(2, quotas={"job": {"pilot": 1.0}})
    text = json.dumps(sample.provenance)
    assert '"name": "rows-1"' in text
    assert re.search(r'"model": {"name": "[^"]*", "sha256": "[0-9a-f]{64}", "engine": "local', text)
    assert '"quotas": {"job": {"pilot": 1.0}}' in text
    assert "cough" not in text


def test_a_model_that_is_only_told_of_the_columns_writes_rows_too(model: str) -> None:
    sample = prompted(model, examples=None, instruction="Patients of a practice.").sample(3)
    assert len(sample) == 3
    assert sample.report.fewest_examples == 0


def test_each_prompt_has_its_examples_shuffled_and_its_own_anchor(model: str) -> None:
    parrot = Parrot("never ends")
    settings = PromptSettings(rows_per_prompt=1, max_attempts=1)
    synthesizer = prompted(model, engine=parrot, settings=settings)
    synthesizer.sample(12)
    assert len({tuple(request.prompt_ids) for request in parrot.requests}) > 6
    begun = {
        request.automaton.text(list(request.prefix_ids[0])).split("=")[0]
        for request in parrot.requests
    }
    assert begun == {"age", "job", "well"}


def test_a_model_that_repeats_an_example_gets_nowhere_and_the_report_says_so(model: str) -> None:
    whole = 'age=30; job=baker; well=yes; note="slept well for days"\n'
    settings = PromptSettings(anchors=0, max_attempts=3)
    synthesizer = prompted(model, engine=Parrot(whole[len("age=") :]), settings=settings)
    sample = synthesizer.sample(4)
    report = sample.report
    assert (len(sample), report.is_partial) == (0, True)
    assert (report.verbatim_copies, report.attempts, report.drawn) == (12, 3, 12)
    assert report.dropped == {"a copy of an example": 4}


def test_a_text_that_repeats_most_of_an_examples_is_drawn_anew(model: str) -> None:
    near, new = '"He slept well for days"\n', '"something else entirely"\n'
    quotas = {"age": {}, "job": {"pilot": 1.0}, "well": {"yes": 1.0}}
    parrot = Parrot(near, new)
    settings = PromptSettings(anchors=0)
    synthesizer = prompted(model, engine=parrot, marginals={"age": "examples"}, settings=settings)
    del quotas["age"]
    sample = synthesizer.sample(1, quotas=quotas)
    assert sample.table["note"].to_pylist() == ["something else entirely"]
    assert (sample.report.near_copies, sample.report.redrawn) == (1, 1)


def test_duplicates_are_dropped_unless_they_may_stay(model: str) -> None:
    ending = '22; job=pilot; well=no; note="x"\n'
    settings = PromptSettings(anchors=0, max_attempts=2)
    sample = prompted(model, engine=Parrot(ending), settings=settings).sample(3)
    assert (len(sample), sample.report.duplicates) == (1, 4)
    assert sample.report.dropped == {"the same as another row": 2}
    settings = PromptSettings(anchors=0, keep_duplicates=True)
    assert len(prompted(model, engine=Parrot(ending), settings=settings).sample(3)) == 3


def test_rows_that_never_end_are_counted_by_reason(model: str) -> None:
    settings = PromptSettings(anchors=0, max_attempts=2)
    sample = prompted(model, engine=Parrot("22; job"), settings=settings).sample(3)
    assert (len(sample), sample.report.unfinished) == (0, 6)
    assert sample.report.dropped == {"row not ended (context_length)": 3}


def test_declared_constraints_hold(model: str) -> None:
    columns = tuple(NumberColumn(name=name, maximum="99") for name in ("low", "high", "both"))
    rules = (Inequality(low="low", high="high"), Sum(parts=("low", "high"), total="both"))
    schema = TableSchema(columns=columns, constraints=rules)
    settings = PromptSettings(max_attempts=20)
    synthesizer = PromptedSynthesizer(schema=schema, model=model, settings=settings)
    rows = synthesizer.sample(10).table.to_pylist()
    assert len(rows) == 10
    assert all(row["low"] <= row["high"] for row in rows)
    assert all(row["low"] + row["high"] == row["both"] for row in rows)


def test_a_time_limit_gives_what_there_is(model: str) -> None:
    sample = prompted(model).sample(50, max_seconds=1e-6)
    assert (sample.report.stopped, sample.report.is_partial) == ("time", True)
    assert sample.table.column_names == list(SCHEMA.names)


def test_examples_that_do_not_fit_the_context_are_left_out(model: str) -> None:
    parrot = Parrot('22; job=pilot; well=no; note="x"\n')
    parrot.context_length = 400  # type: ignore[misc]
    settings = PromptSettings(anchors=0)
    sample = prompted(model, engine=parrot, settings=settings).sample(1)
    assert 0 < sample.report.fewest_examples < 4


def test_a_special_token_in_an_example_is_only_text(model: str) -> None:
    rows = EXAMPLES.set_column(4, "note", [["<end> and <begin> of it"] * 4])
    parrot = Parrot('22; job=pilot; well=no; note="x"\n')
    settings = PromptSettings(anchors=0)
    prompted(model, engine=parrot, examples=rows, settings=settings).sample(1)
    assert not {0, 1} & set(parrot.requests[0].prompt_ids[1:])


@pytest.mark.parametrize(
    ("options", "quotas", "error"),
    [
        ({}, {"jobs": {"pilot": 0.5}}, ConditionError),
        ({}, {"id": {"P0001": 0.5}}, ConditionError),
        ({}, {"age": {30: 0.5}}, ConditionError),
        ({"marginals": {"note": "examples"}}, {}, ConditionError),
        ({"schema": None, "examples": None}, {}, SettingsError),
        ({"target": "jobs"}, {}, SchemaError),
        (
            {"schema": TableSchema(columns=COLUMNS[1:2]), "examples": None},
            {"age": {}},
            ConditionError,
        ),
    ],
)
def test_what_cannot_be_is_refused_before_a_model_is_asked(
    model: str, options: dict[str, object], quotas: dict[str, dict[object, float]], error: type
) -> None:
    parrot = Parrot("")
    with pytest.raises(error):
        prompted(model, engine=parrot, **options).sample(2, quotas=quotas)
    assert not parrot.requests


def test_an_example_that_the_schema_cannot_hold_is_refused(model: str) -> None:
    rows = EXAMPLES.set_column(2, "job", [["baker", "judge", "clerk", "pilot"]])
    with pytest.raises(SchemaError, match="judge"):
        prompted(model, examples=rows)


def test_without_a_schema_the_examples_tell_it(model: str) -> None:
    synthesizer = PromptedSynthesizer(examples=EXAMPLES.drop_columns(["id", "note"]), model=model)
    assert synthesizer.schema.column("age").maximum == "63"  # type: ignore[attr-defined]


def test_an_engine_that_fails_is_an_error(model: str) -> None:
    class Down(Parrot):
        def rows(self, request: RowRequest) -> Iterator[FinishedRow]:
            raise EngineError("The server is down.")

    with pytest.raises(EngineError, match="down"):
        prompted(model, engine=Down("")).sample(1)


def test_ctrl_c_keeps_the_rows_there_are(model: str) -> None:
    class Interrupted(Parrot):
        def rows(self, request: RowRequest) -> Iterator[FinishedRow]:
            if self.requests:
                raise KeyboardInterrupt
            yield from super().rows(request)

    engine = Interrupted('22; job=pilot; well=no; note="x"\n')
    settings = PromptSettings(anchors=0, rows_per_prompt=2, keep_duplicates=True)
    sample = prompted(model, engine=engine, settings=settings).sample(6)
    assert (len(sample), sample.report.stopped, sample.report.prompts) == (2, "interrupted", 1)
    assert sample.report.is_partial
