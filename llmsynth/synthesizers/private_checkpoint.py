"""A private fit on disk, so that a fit that was cut off releases nothing twice.

What is kept is paid for already: the released schema, rows drawn from noisy counts, and weights
after whole steps. No row of the table is among it, nor a hash: a fit of another table that went on
from here would spend on each of them no more than is accounted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import PrivacyError
from llmsynth.privacy.accounting import Mechanism
from llmsynth.privacy.metadata import ReleasedSchema
from llmsynth.privacy.unit_sampler import Units
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.private_statistics import PrivateStatistics, encoded_anew
from llmsynth.training.checkpoint import put_file
from llmsynth.training.private_loop import StepPosition

_RELEASE, _STEP = "private_release.safetensors", "private_step.safetensors"
_BEGUN = "private_steps.json"
_FACTS = "facts"


class PrivateCheckpoint:
    """The checkpoint of one fit.

    Args:
        fingerprint: of all settings; what another fit left is not taken up.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder, self._fingerprint = folder, fingerprint

    @property
    def can_go_on(self) -> bool:
        """Whether this very fit has released something before.

        Raises:
            PrivacyError: there is a checkpoint that cannot be read.
        """
        return self._read(_RELEASE) is not None

    def save_release(self, statistics: PrivateStatistics) -> None:
        """Keep what was released, before the private steps."""
        released = statistics.released
        facts = {
            "schema": json.loads(statistics.language.schema.to_json()),
            "flat": sorted(statistics.flat),
            "public": list(statistics.public),
            "parts": {name: asdict(part) for name, part in statistics.parts.items()},
            "declared": list(released.declared),
            "released": list(released.released),
            "left_out": list(released.left_out),
            "num_rows": released.num_rows,
            "num_units": released.num_units,
            "key_delta": released.key_delta,
        }
        self.remove()
        self._write(_RELEASE, facts, {"drawn": torch.from_numpy(statistics.drawn)})

    def load(self, table: pa.Table, units: Units) -> PrivateStatistics | None:
        """What was released, and the rows of `units` encoded by it; None where there is nothing.

        Raises:
            PrivacyError: there is a checkpoint that cannot be read.
        """
        found = self._read(_RELEASE)
        if found is None:
            return None
        facts, tensors = found
        schema = TableSchema.from_json(json.dumps(facts["schema"]))
        language, flat = RowLanguage(schema), frozenset(facts["flat"])
        parts = {name: Mechanism(**part) for name, part in facts["parts"].items()}
        return PrivateStatistics(
            language=language,
            codes=encoded_anew(table, language, units, flat),
            units=units,
            flat=flat,
            released=ReleasedSchema(
                schema=schema,
                declared=tuple(facts["declared"]),
                released=tuple(facts["released"]),
                left_out=tuple(facts["left_out"]),
                num_rows=facts["num_rows"],
                num_units=facts["num_units"],
                mechanisms=parts,
                key_delta=facts["key_delta"],
            ),
            drawn=tensors["drawn"].numpy(),
            parts=parts,
            public=tuple(facts["public"]),
        )

    def begin_step(self, step: int) -> None:
        """Note that a step begins."""
        self._replace(_BEGUN, json.dumps({"begun": step}).encode())

    def next_step(self) -> int:
        """The first step that has not begun.

        Raises:
            PrivacyError: the note cannot be read.
        """
        path = self._folder / _BEGUN
        if not path.exists():
            return 0
        try:
            return int(json.loads(path.read_text(encoding="utf-8"))["begun"]) + 1
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unreadable(path, error) from error

    def save_step(self, position: StepPosition) -> None:
        """Keep the weights after a whole step."""
        self._write(_STEP, {"steps": position.steps}, position.tensors)

    def load_step(self) -> StepPosition | None:
        """Where the private steps stand; None where none was taken.

        Raises:
            PrivacyError: there is a checkpoint that cannot be read.
        """
        found = self._read(_STEP)
        return None if found is None else StepPosition(steps=found[0]["steps"], tensors=found[1])

    def remove(self) -> None:
        """Delete the checkpoint of a finished fit."""
        # The release goes first: without it, nothing goes on.
        for name in (_RELEASE, _STEP, _BEGUN):
            (self._folder / name).unlink(missing_ok=True)

    def _write(
        self, name: str, facts: Mapping[str, object], tensors: Mapping[str, torch.Tensor]
    ) -> None:
        whole = {**facts, "fingerprint": self._fingerprint}
        contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
        self._replace(name, save(contiguous, metadata={_FACTS: json.dumps(whole)}))

    def _replace(self, name: str, content: bytes) -> None:
        put_file(self._folder / name, lambda path: path.write_bytes(content))

    def _read(self, name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
        path = self._folder / name
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()[_FACTS])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise _unreadable(path, error) from error
        return (facts, tensors) if facts.get("fingerprint") == self._fingerprint else None


def _unreadable(path: Path, error: Exception) -> PrivacyError:
    return PrivacyError(
        f"The checkpoint {path} cannot be read: {error}.",
        hint="Delete it to start afresh; the account will name the fit that was lost.",
    )
