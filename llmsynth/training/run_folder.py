"""A fine-tuning run on disk: memory-mapped examples and the facts every process has to agree on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
from datasets import Dataset

from llmsynth.codec.row_tokens import CellTokens
from llmsynth.errors import TrainingError
from llmsynth.schema.table_schema import TableSchema
from llmsynth.training.checkpoint import put_file
from llmsynth.training.row_orders import RowOrders
from llmsynth.training.tuning_settings import TuningSettings

_EXAMPLES, _FACTS, _SCHEMA = "examples.arrow", "run.json", "schema.json"


@dataclass(frozen=True, kw_only=True)
class TuningRun:
    """What a run is made of; `examples` is a dataset with one column of token lists per column.

    base: folder of the base model.
    name: the base model as the user named it.
    """

    folder: Path
    base: str
    name: str
    schema: TableSchema
    orders: RowOrders
    settings: TuningSettings
    fingerprint: str
    examples: Dataset

    @property
    def adapter(self) -> Path:
        """Where the adapter is written."""
        return self.folder / "adapter"

    @property
    def report(self) -> Path:
        """Where the report is written, as JSON."""
        return self.folder / "report.json"

    def cells(self, row: int) -> dict[int, CellTokens]:
        """The tokens of one row's cells by column index."""
        found = self.examples[row]
        return {index: found[str(index)] for index in range(len(self.schema.names))}


def write_run(
    folder: Path,
    *,
    base: str,
    name: str,
    schema: TableSchema,
    orders: RowOrders,
    settings: TuningSettings,
    fingerprint: str,
    cells: Mapping[str, Sequence[CellTokens]],
) -> TuningRun:
    """Write a run and return it as `read_run` would.

    Args:
        cells: for each column of the schema the tokens of its cells; None where a cell is not to
            be learned.
    """
    columns = {str(i): pa.array(cells[n], pa.list_(pa.int32())) for i, n in enumerate(schema.names)}
    table = pa.table(columns)
    # Another attempt at the fit may have the file mapped: it is replaced, never written over.
    put_file(folder / _EXAMPLES, lambda path: _write_table(path, table))
    put_file(folder / _SCHEMA, lambda path: path.write_text(schema.to_json(), encoding="utf-8"))
    facts = {
        "base": base,
        "name": name,
        "orders": asdict(orders),
        "settings": asdict(settings),
        "fingerprint": fingerprint,
    }
    told = json.dumps(facts, indent=2) + "\n"
    put_file(folder / _FACTS, lambda path: path.write_text(told, encoding="utf-8"))
    return read_run(folder)


def _write_table(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table)


def read_run(folder: Path) -> TuningRun:
    """Read a run; the examples stay on disk and are mapped into memory.

    Raises:
        TrainingError: the folder holds no run, or a broken one.
    """
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        orders, settings = facts["orders"], facts["settings"]
        return TuningRun(
            folder=folder,
            base=facts["base"],
            name=facts["name"],
            schema=TableSchema.read(folder / _SCHEMA),
            orders=RowOrders(
                **{**orders, **{key: tuple(orders[key]) for key in ("structured", "texts")}}
            ),
            settings=TuningSettings(
                **{**settings, "target_modules": tuple(settings["target_modules"])}
            ),
            fingerprint=facts["fingerprint"],
            examples=Dataset.from_file(str(folder / _EXAMPLES)),
        )
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise TrainingError(
            f"{folder} is no fine-tuning run: {error}.",
            hint="An unfinished `llmsynth fit --model ...` leaves one in OUT.owner/work/tuning.",
        ) from error
