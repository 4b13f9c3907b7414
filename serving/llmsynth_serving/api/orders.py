"""The shapes of requests, with the limits that need no look into the database."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

NO_NUL = r"^[^\x00]*$"
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9a-zA-Z_-]+$")]
Column = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=NO_NUL)]
Seed = Annotated[int, Meta(ge=0, lt=1 << 31)]
Temperature = Annotated[float, Meta(gt=0, le=10)]
Share = Annotated[float, Meta(gt=0, le=1)]
Limit = Annotated[int, Meta(ge=0, lt=1 << 62)]
Priority = Annotated[int, Meta(ge=1, le=1_000)]
Memory = Annotated[float, Meta(gt=0, le=100_000)] | None
Where = dict[str, Any]
Quotas = Annotated[
    dict[Column, Annotated[dict[Column, Share], Meta(min_length=1, max_length=1_000)]],
    Meta(max_length=8),
]
MOST_ROWS = 1_000_000_000
MOST_EPOCHS = 10_000
ModelName = Annotated[
    str, Meta(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)?$")
]
"""`compact`, a short name, or a hub id; never a folder of the service's machine."""


@dataclass(frozen=True, kw_only=True)
class FitOrder:
    """What to fit; settings are those of the library's `Synthesizer`."""

    table_id: Id
    name: Name = "synthesizer"
    priority: Priority = 100
    """Lower comes first."""
    gpu_memory_gb: Memory = None
    """Only a worker that declares so much GPU memory takes the job, which waits for one."""
    model: ModelName = "compact"
    target: Column | None = None
    max_minutes: Annotated[float, Meta(gt=0, le=10_080)] | None = None
    max_epochs: Annotated[float, Meta(gt=0, le=MOST_EPOCHS)] | None = None
    keep_rare: bool = False
    drop_text: bool = False
    seed: Seed = 0
    epsilon: Annotated[float, Meta(gt=0, le=1_000)] | None = None
    """Fit under differential privacy, spending at most this."""
    delta: Annotated[float, Meta(gt=0, lt=0.1)] | None = None
    entity: Column | None = None
    """Column that says whose row it is; each row is its own unit when omitted."""
    rows_per_entity: Annotated[int, Meta(ge=1, le=1_000)] = 1
    personal_data: Literal["replace", "keep", "refuse"] = "replace"
    """What becomes of names, e-mail addresses, phone numbers and ids of people in columns."""
    personal: dict[str, str] | None = None
    """Column to kind of personal data, or to "none", before what is found."""
    schema_is_public: bool = False
    """With epsilon: kinds, categories and bounds of the table's schema are known to everybody.
    Otherwise they are found out anew, with noise."""

    def settings(self) -> dict[str, Any]:
        """The settings alone."""
        names = [part.name for part in fields(self)]
        return {
            name: getattr(self, name)
            for name in names
            if name not in ("table_id", "name", "priority", "gpu_memory_gb")
        }


@dataclass(frozen=True, kw_only=True)
class SplitOrder:
    """How to part a table."""

    holdout_share: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    """Share of the rows that are set aside to judge with."""
    seed: Seed = 0


@dataclass(frozen=True, kw_only=True)
class SampleOrder:
    """How many rows to draw, and under which conditions."""

    synthesizer_id: Id
    rows: Annotated[int, Meta(ge=1, le=MOST_ROWS)]
    name: Name = "sample"
    priority: Priority = 100
    """Lower comes first."""
    gpu_memory_gb: Memory = None
    """Only a worker that declares so much GPU memory takes the job, which waits for one."""
    where: Where = field(default_factory=dict)
    """Column to value, the same for all rows."""
    quotas: Quotas = field(default_factory=dict)
    """Column to value to share of the rows; those of one column add up to 1."""
    temperature: Temperature = 1.0
    top_p: Share = 1.0
    seed: Seed = 0


@dataclass(frozen=True, kw_only=True)
class EvaluationOrder:
    """Which table to judge, against which real ones."""

    table_id: Id
    """The synthetic table."""
    train_id: Id
    holdout_id: Id
    name: Name = "report"
    priority: Priority = 100
    """Lower comes first."""
    target: Column | None = None
    seed: Seed = 0


@dataclass(frozen=True, kw_only=True)
class GroupOrder:
    """Rows that agree on some cells, and the share of the table that they are to have."""

    where: Annotated[Where, Meta(min_length=1, max_length=8)]
    """Column to value, or to `{"minimum": ..., "maximum": ...}` of a number or a date."""
    share: Share


@dataclass(frozen=True, kw_only=True)
class RebalanceOrder:
    """Which groups to bring to which share, and what gives the verdict."""

    table_id: Id
    """Real rows."""
    groups: Annotated[list[GroupOrder], Meta(min_length=1, max_length=20)]
    name: Name = "rebalanced"
    priority: Priority = 100
    """Lower comes first."""
    test_id: Id | None = None
    """Real rows for the verdict; without it a share of the table is held out."""
    test_share: Annotated[float, Meta(ge=0, lt=1)] = 0.25
    method: Literal["whole", "redraw"] = "whole"
    """`whole`: new rows are drawn whole. `redraw`: each begins from a real row and keeps about half
    of its cells, so that the table must not be handed on as anonymous."""
    relabel: bool = False
    """Keep rows that a classifier of the real rows agrees with."""
    origin: Column | None = "origin"
    """Column that says of each row whether it is real or synthetic; null for none."""
    num_seeds: Annotated[int, Meta(ge=2, le=20)] = 5
    """How often each way is taught for the verdict."""
    max_minutes: Annotated[float, Meta(gt=0, le=10_080)] | None = None
    max_epochs: Annotated[float, Meta(gt=0, le=MOST_EPOCHS)] | None = None
    keep_rare: bool = False
    drop_text: bool = False
    seed: Seed = 0

    def settings(self) -> dict[str, Any]:
        """The settings of the fit alone."""
        names = ("max_minutes", "max_epochs", "keep_rare", "drop_text", "seed")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class ImputeOrder:
    """Which gaps to fill."""

    table_id: Id
    name: Name = "filled"
    priority: Priority = 100
    """Lower comes first."""
    columns: Annotated[list[Column], Meta(max_length=10_000)] = field(default_factory=list)
    """Fill these alone; every column when empty."""
    draws: Annotated[int, Meta(ge=1, le=20)] = 1
    """Complete the table so often; the draws lie below one another, numbered in a column."""
    target: Column | None = None
    max_minutes: Annotated[float, Meta(gt=0, le=10_080)] | None = None
    max_epochs: Annotated[float, Meta(gt=0, le=MOST_EPOCHS)] | None = None
    seed: Seed = 0

    def settings(self) -> dict[str, Any]:
        """The settings of the fit alone."""
        return {n: getattr(self, n) for n in ("target", "max_minutes", "max_epochs", "seed")}


@dataclass(frozen=True, kw_only=True)
class FewShotOrder:
    """Rows from a language model that is shown a few rows, or only told of the columns."""

    rows: Annotated[int, Meta(ge=1, le=10_000)]
    name: Name = "few-shot"
    priority: Priority = 100
    """Lower comes first."""
    gpu_memory_gb: Memory = None
    """Only a worker that declares so much GPU memory takes the job, which waits for one."""
    schema: dict[str, Any] | None = None
    """`TableSchema` as JSON; or `schema_table_id`, a table that has the schema. With neither, the
    schema is that of the examples, and only as wide as they are."""
    schema_table_id: Id | None = None
    examples: Annotated[list[dict[str, Any]], Meta(max_length=200)] = field(default_factory=list)
    """Rows, column to value; kept as a table of their own. Or `examples_table_id`."""
    examples_table_id: Id | None = None
    instruction: Annotated[str, Meta(max_length=4_000, pattern=NO_NUL)] = ""
    """What the table is about, in words."""
    quotas: Quotas = field(default_factory=dict)
    """Column to value to share of the rows; other values share what is left."""
    target: Column | None = None
    """Examples of a prompt are balanced over its values."""
    model: ModelName = "smollm2-135m"
    temperature: Temperature = 1.0
    top_p: Share = 1.0
    seed: Seed = 0
    max_minutes: Annotated[float, Meta(gt=0, le=10_080)] | None = None


@dataclass(frozen=True, kw_only=True)
class RowsOrder:
    """Rows to be drawn while the caller waits."""

    synthesizer_id: Id
    rows: Annotated[int, Meta(ge=1, le=1_000)]
    where: Where = field(default_factory=dict)
    """Column to value, the same for all rows."""
    temperature: Temperature = 1.0
    top_p: Share = 1.0
    seed: Seed = 0


@dataclass(frozen=True, kw_only=True)
class KeyOrder:
    """A key to be made."""

    name: Name
    scope: Literal["read", "write", "admin"]
    expires_at: datetime | None = None
    max_storage_bytes: Limit | None = None
    max_rows: Limit | None = None
    max_running_jobs: Annotated[int, Meta(ge=0, lt=1 << 31)] | None = None

    def limits(self) -> dict[str, int | None]:
        """The limits alone."""
        names = ("max_storage_bytes", "max_rows", "max_running_jobs")
        return {name: getattr(self, name) for name in names}
