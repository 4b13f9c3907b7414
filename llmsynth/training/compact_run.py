"""A compact model's training as it starts: in memory, or in a folder for several processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from llmsynth.errors import TrainingError
from llmsynth.models.compact import CompactShape
from llmsynth.models.curves import CurvedModel
from llmsynth.progress import Progress, silent
from llmsynth.training.loop import Trainer
from llmsynth.training.sequences import Shuffler
from llmsynth.training.settings import TrainingSettings
from llmsynth.training.team import Alone, Team

FACTS = "compact_run.json"
_START, _END = "start.safetensors", "trained.safetensors"
_WAVES, _MODEL = "waves.", "model."


@dataclass(frozen=True, kw_only=True)
class CompactRun:
    """What every process has to agree on.

    Args:
        model: as training begins.
        waves: the curves that `model` was made with.
        codes: int64 (rows, places), negative where a place is not used.
        place_columns: int64 (places,), each place's column.
        usual_order, none_given_share, num_context, given_power: see `Shuffler`.
        weights: float32 (places,), what each place counts in the loss.
        context: places that are only ever given.
        fingerprint: what identifies the run among checkpoints.
    """

    model: CurvedModel
    waves: dict[int, Tensor]
    codes: Tensor
    place_columns: Tensor
    usual_order: tuple[int, ...]
    none_given_share: float
    num_context: int
    given_power: float
    weights: Tensor
    context: frozenset[int]
    settings: TrainingSettings
    fingerprint: str
    dtype: torch.dtype

    def shuffler(self) -> Shuffler:
        """What orders the columns of its rows."""
        shape = self.model.shape
        return Shuffler(
            shape.place_sizes,
            self.place_columns,
            shape.begin_token,
            usual_order=torch.tensor(self.usual_order),
            none_given_share=self.none_given_share,
            num_context=self.num_context,
            given_power=self.given_power,
            token_starts=shape.token_starts,
        )

    def trainer(
        self, folder: Path | None, *, progress: Progress = silent, team: Team | None = None
    ) -> Trainer:
        """The run, ready to start or to go on from the checkpoint in `folder`."""
        return Trainer(
            model=self.model,
            codes=self.codes,
            shuffler=self.shuffler(),
            weights=self.weights,
            settings=self.settings,
            folder=folder,
            fingerprint=self.fingerprint,
            progress=progress,
            dtype=self.dtype,
            context=self.context,
            team=team or Alone(),
        )

    def write(self, folder: Path) -> None:
        """Write the run for `read_compact_run`."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {_MODEL + name: value for name, value in self.model.state_dict().items()}
        # The model holds the same memory, which the file may name but once.
        tensors |= {f"{_WAVES}{place}": waves.clone() for place, waves in self.waves.items()}
        tensors |= {
            "codes": self.codes,
            "place_columns": self.place_columns,
            "weights": self.weights,
        }
        save_file({name: t.contiguous() for name, t in tensors.items()}, folder / _START)
        facts = {
            "shape": asdict(self.model.shape),
            "usual_order": self.usual_order,
            "none_given_share": self.none_given_share,
            "num_context": self.num_context,
            "given_power": self.given_power,
            "context": sorted(self.context),
            "settings": asdict(self.settings),
            "fingerprint": self.fingerprint,
            "dtype": str(self.dtype).removeprefix("torch."),
        }
        (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def save_trained(self, folder: Path) -> None:
        """Leave the trained weights for `load_trained`."""
        save_file({k: v.contiguous() for k, v in self.model.state_dict().items()}, folder / _END)

    def load_trained(self, folder: Path) -> None:
        """Take the weights that processes left in the folder.

        Raises:
            TrainingError: they left none.
        """
        try:
            self.model.load_state_dict(load_file(folder / _END))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise TrainingError(f"{folder} holds no trained model: {error}.") from error


def read_compact_run(folder: Path) -> CompactRun:
    """Read a run that `CompactRun.write` wrote.

    Raises:
        TrainingError: the folder holds none, or a broken one.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        tensors = load_file(folder / _START)
        lists = {name: tuple(facts["shape"][name]) for name in ("place_sizes", "place_owners")}
        waves = {
            int(name.removeprefix(_WAVES)): value
            for name, value in tensors.items()
            if name.startswith(_WAVES)
        }
        model = CurvedModel(CompactShape(**{**facts["shape"], **lists}), waves)
        own = {k.removeprefix(_MODEL): v for k, v in tensors.items() if k.startswith(_MODEL)}
        model.load_state_dict(own)
        return CompactRun(
            model=model,
            waves=waves,
            codes=tensors["codes"],
            place_columns=tensors["place_columns"],
            usual_order=tuple(facts["usual_order"]),
            none_given_share=facts["none_given_share"],
            num_context=facts["num_context"],
            given_power=facts["given_power"],
            weights=tensors["weights"],
            context=frozenset(facts["context"]),
            settings=TrainingSettings(**facts["settings"]),
            fingerprint=facts["fingerprint"],
            dtype={"float32": torch.float32, "bfloat16": torch.bfloat16}[facts["dtype"]],
        )
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise TrainingError(
            f"{folder} is no training run: {error}.",
            hint="`llmsynth fit --processes 2` writes one.",
        ) from error
