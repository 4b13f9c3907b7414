"""The service from Python: the library's verbs, done elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from llmsynth.errors import LlmsynthError, SettingsError
from llmsynth_serving.api.documents import (
    JobDocument,
    Listing,
    ReportDocument,
    RowsDocument,
    SplitDocument,
    SynthesizerDocument,
    TableDocument,
)
from llmsynth_serving.api.known_fields import UnknownFieldError, check_fields
from llmsynth_serving.api.orders import (
    EvaluationOrder,
    FewShotOrder,
    FitOrder,
    ImputeOrder,
    RebalanceOrder,
    RowsOrder,
    SampleOrder,
)
from llmsynth_serving.connection import Connection, ServiceError

ENDED = ("succeeded", "failed", "cancelled", "dead")
FOLDERS = {TableDocument: "tables", SynthesizerDocument: "synthesizers", ReportDocument: "reports"}
ACCEPTED = 202
_ORDERS: Mapping[str, type] = {
    "fit": FitOrder,
    "sample": SampleOrder,
    "evaluate": EvaluationOrder,
    "rebalance": RebalanceOrder,
    "impute": ImputeOrder,
    "few-shot": FewShotOrder,
}


class JobError(LlmsynthError):
    """A job ended without a result; `job` says why."""

    def __init__(self, job: JobDocument) -> None:
        error = job.error or {}
        detail = error.get("detail", "no reason given")
        super().__init__(f"The job {job.id} {job.state}: {detail}", hint=error.get("hint") or "")
        self.job = job


class Client:
    """One connection to a service.

    Args:
        url: e.g. `http://127.0.0.1:8321`.
        key: as `llmsynth-serve init` or `keys create` printed it.
        timeout_seconds: longest silence of the service before a try is given up.
    """

    def __init__(self, url: str, key: str, *, timeout_seconds: float = 60.0) -> None:
        self._service = Connection(url, key, timeout_seconds=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connection."""
        self._service.close()

    def upload(
        self, table: str | Path | bytes, *, name: str | None = None, missing: Sequence[str] = ()
    ) -> TableDocument:
        """Upload a CSV, Parquet or Arrow file, streamed from disk where it is a path.

        Args:
            missing: cell texts that mean "missing" in a CSV file, besides the empty cell.
        """
        named = name or ("table" if isinstance(table, bytes) else Path(table).stem)
        query = {"name": named, "missing": list(missing)}
        return self._service.post("/v1/tables", TableDocument, params=query, file=table)

    def split(
        self, table: TableDocument | str, *, holdout_share: float = 0.2, seed: int = 0
    ) -> tuple[TableDocument, TableDocument]:
        """Part a table in two by chance: rows to learn from, and rows to judge with."""
        order = {"holdout_share": holdout_share, "seed": seed}
        made = self._service.post(f"/v1/tables/{_id(table)}/split", SplitDocument, json=order)
        return made.train, made.holdout

    def correct_schema(
        self, table: TableDocument | str, schema: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Replace a table's schema by one of the same columns."""
        return self._service.put(f"/v1/tables/{_id(table)}/schema", dict[str, Any], json=schema)

    def fit(
        self, table: TableDocument | str, *, name: str = "synthesizer", **settings: Any
    ) -> JobDocument:
        """Order a fit; `settings` are those of `llmsynth.Synthesizer`."""
        return self._order("fit", {"table_id": _id(table), "name": name, **settings})

    def sample(
        self,
        synthesizer: SynthesizerDocument | str,
        rows: int,
        *,
        where: Mapping[str, object] | None = None,
        name: str = "sample",
        **settings: Any,
    ) -> JobDocument:
        """Order rows that become a table."""
        order = {"rows": rows, "where": dict(where or {}), "name": name, **settings}
        return self._order("sample", {"synthesizer_id": _id(synthesizer), **order})

    def evaluate(
        self,
        table: TableDocument | str,
        *,
        train: TableDocument | str,
        holdout: TableDocument | str,
        **settings: Any,
    ) -> JobDocument:
        """Order a report on a synthetic table beside real ones."""
        ids = {"table_id": _id(table), "train_id": _id(train), "holdout_id": _id(holdout)}
        return self._order("evaluate", {**ids, **settings})

    def rebalance(
        self,
        table: TableDocument | str,
        groups: Sequence[Mapping[str, Any]],
        *,
        test: TableDocument | str | None = None,
        **settings: Any,
    ) -> JobDocument:
        """Order a table with more rows of rare groups, and a report on whether they help.

        Args:
            groups: e.g. `[{"where": {"fraud": "yes"}, "share": 0.2}]`.
            test: real rows for the verdict; without them a share of the table is held out.
        """
        ids = {"table_id": _id(table), "test_id": None if test is None else _id(test)}
        order = {"groups": [dict(group) for group in groups], **settings}
        return self._order("rebalance", {**ids, **order})

    def impute(
        self, table: TableDocument | str, *, columns: Sequence[str] = (), **settings: Any
    ) -> JobDocument:
        """Order a table without its gaps; `draws` completes it several times."""
        return self._order("impute", {"table_id": _id(table), "columns": list(columns), **settings})

    def few_shot(
        self,
        rows: int,
        *,
        schema: Mapping[str, Any] | TableDocument | str | None = None,
        examples: Sequence[Mapping[str, Any]] | TableDocument | str = (),
        **settings: Any,
    ) -> JobDocument:
        """Order rows from a language model that is shown some, or only told of the columns.

        Args:
            schema: `TableSchema` as JSON, or a table that has it; that of the examples if omitted.
            examples: rows, or a table of them.
        """
        order: dict[str, Any] = {"rows": rows, **settings}
        if isinstance(schema, TableDocument | str):
            order["schema_table_id"] = _id(schema)
        elif schema is not None:
            order["schema"] = dict(schema)
        if isinstance(examples, TableDocument | str):
            order["examples_table_id"] = _id(examples)
        else:
            order["examples"] = [dict(row) for row in examples]
        return self._order("few-shot", order)

    def rows(
        self, synthesizer: SynthesizerDocument | str, rows: int, **settings: Any
    ) -> RowsDocument | JobDocument:
        """Draw up to 1,000 rows while waiting; a job where that takes longer."""
        order = {"synthesizer_id": _id(synthesizer), "rows": rows, **settings}
        _check(RowsOrder, order)
        status, answer = self._service.ask("/v1/rows", order)
        if status == ACCEPTED:
            return msgspec.convert(answer, JobDocument)
        return msgspec.convert(answer, RowsDocument)

    def watch(self, job: JobDocument | str) -> Iterator[JobDocument]:
        """Follow a job until it ends; a lost connection is made anew.

        Raises:
            ServiceError: the service stays away.
        """
        path = f"/v1/jobs/{_id(job)}"
        for _ in self._service.events(f"{path}/events"):
            state = self._service.get(path, JobDocument)
            yield state
            if state.state in ENDED:
                return

    def wait(self, job: JobDocument | str) -> JobDocument:
        """Wait until a job has succeeded.

        Raises:
            JobError: it ended otherwise.
        """
        state = None
        for state in self.watch(job):
            if state.state == "succeeded":
                return state
        assert state is not None
        raise JobError(state)

    def job(self, job: str) -> JobDocument:
        """How a job stands."""
        return self._service.get(f"/v1/jobs/{job}", JobDocument)

    def cancel(self, job: JobDocument | str) -> JobDocument:
        """End a job."""
        return self._service.post(f"/v1/jobs/{_id(job)}/cancel", JobDocument)

    def table(self, table: str) -> TableDocument:
        """One table."""
        return self._service.get(f"/v1/tables/{table}", TableDocument)

    def synthesizer(self, synthesizer: str) -> SynthesizerDocument:
        """One synthesizer."""
        return self._service.get(f"/v1/synthesizers/{synthesizer}", SynthesizerDocument)

    def report(self, report: str) -> ReportDocument:
        """One report in short; `save_report` has all of it."""
        return self._service.get(f"/v1/reports/{report}", ReportDocument)

    def tables(self) -> Iterator[TableDocument]:
        """All tables, the newest first."""
        return self._service.pages("/v1/tables", Listing[TableDocument])

    def synthesizers(self) -> Iterator[SynthesizerDocument]:
        """All synthesizers, the newest first."""
        return self._service.pages("/v1/synthesizers", Listing[SynthesizerDocument])

    def jobs(self) -> Iterator[JobDocument]:
        """All jobs, the newest first."""
        return self._service.pages("/v1/jobs", Listing[JobDocument])

    def retry(self, job: JobDocument | str) -> JobDocument:
        """Order the work of a job that failed once more, as a new job."""
        return self._service.post(f"/v1/jobs/{_id(job)}/retry", JobDocument)

    def delete(self, thing: TableDocument | SynthesizerDocument | ReportDocument) -> None:
        """Remove an object and its files for good."""
        self._service.delete(f"/v1/{FOLDERS[type(thing)]}/{thing.id}")

    def download(self, table: TableDocument | str, path: str | Path) -> Path:
        """Save a table's rows to a .csv or .parquet file; a broken transfer goes on where it was.

        Raises:
            ServiceError: another ending, or the service refuses.
        """
        target = Path(path)
        form = target.suffix.removeprefix(".")
        if form not in ("csv", "parquet"):
            raise ServiceError(f"{target}: the name must end in .csv or .parquet.")
        self._service.save(f"/v1/tables/{_id(table)}/download?format={form}", target)
        return target

    def save_report(
        self, report: ReportDocument | str, path: str | Path, form: Literal["html", "json"] = "html"
    ) -> Path:
        """Save a report as a page or as JSON."""
        self._service.save(f"/v1/reports/{_id(report)}/{form}", Path(path))
        return Path(path)

    def _order(self, kind: str, order: Mapping[str, Any]) -> JobDocument:
        _check(_ORDERS[kind], order)
        return self._service.post(f"/v1/jobs/{kind}", JobDocument, json=order)


def _check(kind: type, order: Mapping[str, Any]) -> None:
    """Refuse what the service would refuse, before anything is sent."""
    try:
        check_fields(kind, order)
    except UnknownFieldError as error:
        raise SettingsError(error.message, hint=error.hint) from error


def _id(
    thing: TableDocument | SynthesizerDocument | ReportDocument | JobDocument | str,
) -> str:
    return thing if isinstance(thing, str) else thing.id
