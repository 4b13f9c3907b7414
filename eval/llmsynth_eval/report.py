"""A report: everything measured of one or more synthetic tables, as an object and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from llmsynth.errors import InputError
from llmsynth_eval.definitions import Definition
from llmsynth_eval.figure import ColumnError, Figure, PairError
from llmsynth_eval.headline import Headline, Topic
from llmsynth_eval.metric import Measurement
from llmsynth_eval.pages.pictures import Pictures

FORMAT = "llmsynth-evaluation-1"
SCHEMA_ID = "urn:llmsynth:evaluation:1"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one metric found of one synthetic table."""

    metric: str
    """The metric's name, which a definition of the report explains."""
    topic: Topic
    measurement: Measurement


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything measured of one synthetic table."""

    name: str
    num_rows: int
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()
    """What was left out, sampled or read otherwise than a reader might expect."""
    pictures: Pictures

    @property
    def headlines(self) -> tuple[Headline, ...]:
        return tuple(h for result in self.results for h in result.measurement.headlines)

    @property
    def figures(self) -> dict[str, Figure]:
        """Every figure by its name."""
        return {f.name: f for result in self.results for f in result.measurement.figures}

    @property
    def columns(self) -> tuple[ColumnError, ...]:
        return tuple(c for result in self.results for c in result.measurement.columns)

    @property
    def pairs(self) -> tuple[PairError, ...]:
        return tuple(p for result in self.results for p in result.measurement.pairs)

    @property
    def all_notes(self) -> tuple[str, ...]:
        """The notes of the tables, then those of every metric, each once."""
        every = [*self.notes, *(n for result in self.results for n in result.measurement.notes)]
        return tuple(dict.fromkeys(every))

    @property
    def alarms(self) -> tuple[Headline, ...]:
        return tuple(headline for headline in self.headlines if headline.answer == "alarm")

    def of_topic(self, topic: Topic) -> Iterator[Result]:
        """The results of one topic, in order."""
        return (result for result in self.results if result.topic == topic)


@dataclass(frozen=True, kw_only=True)
class JudgedColumn:
    """A column of the tables and how it takes part."""

    name: str
    kind: str
    """A kind of `llmsynth.schema`: number, category, boolean, date, datetime, identifier, text."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """One or more synthetic tables, measured against the same train and holdout tables."""

    software: str
    seed: int
    settings: Mapping[str, str] = field(default_factory=dict)
    """Target, group column, quasi-identifiers: what the caller named."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Where the tables came from, in the caller's words; never a time, so reports compare."""
    num_train_rows: int
    num_holdout_rows: int
    columns: tuple[JudgedColumn, ...]
    evaluations: tuple[Evaluation, ...]
    definitions: tuple[Definition, ...]
    """What each metric measures, in the version that was used."""

    def evaluation(self, name: str) -> Evaluation:
        """The evaluation of the synthetic table called `name`.

        Raises:
            InputError: no such table.
        """
        for evaluation in self.evaluations:
            if evaluation.name == name:
                return evaluation
        known = ", ".join(repr(evaluation.name) for evaluation in self.evaluations)
        raise InputError(f"The report has no synthetic table {name!r}; it has {known}.")

    def to_json(self) -> str:
        """The report as indented JSON text, which `report.schema.json` describes."""
        data = {"format": FORMAT, **msgspec.to_builtins(self, enc_hook=_plain)}
        return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report back from `to_json` output.

        Raises:
            InputError: not JSON, another format, or a field that is missing or of a wrong type.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"The report is not JSON: {error}.") from error
        found = data.pop("format", None) if isinstance(data, dict) else None
        if found != FORMAT:
            raise InputError(f"Expected a report of format {FORMAT!r}, got {found!r}.")
        try:
            return msgspec.convert(data, cls)
        except msgspec.ValidationError as error:
            raise InputError(f"This is not a report: {error}.") from error


def json_schema() -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of `Report.to_json`."""
    schema = msgspec.json.schema(Report)
    body = schema["$defs"]["Report"]
    body["properties"] = {"format": {"const": FORMAT}, **body["properties"]}
    body["required"] = ["format", *body["required"]]
    dialect = "https://json-schema.org/draft/2020-12/schema"
    described = {"$schema": dialect, "$id": SCHEMA_ID, "title": "llmsynth evaluation report"}
    lists: dict[str, object] = json.loads(json.dumps({**described, **schema}))  # no tuples
    return lists


def _plain(value: object) -> object:
    """A numpy scalar as the Python number it holds."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"a report cannot hold {type(value)}")
    return item()
