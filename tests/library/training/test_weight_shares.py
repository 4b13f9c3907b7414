"""Weights spread over two processes learn what one process learns that holds them all."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from accelerate import Accelerator
from peft import PeftModel
from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM
from typer.testing import CliRunner

from llmsynth.cli import app
from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.row_tokens import RowTokens
from llmsynth.errors import SettingsError
from llmsynth.models.pretrained import load_pretrained
from llmsynth.progress import Step
from llmsynth.schema import infer_schema
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.training.fine_tuning import FineTuner
from llmsynth.training.loop import TrainingReport
from llmsynth.training.lora import learned_weights
from llmsynth.training.report_file import read_report
from llmsynth.training.row_orders import RowOrders
from llmsynth.training.run_folder import TuningRun, write_run
from llmsynth.training.tuning import tune
from llmsynth.training.tuning_settings import TuningSettings
from llmsynth.training.weight_shares import sharding_plugin

# Rows of several lengths and few tokens at once: the two processes read unlike numbers of parts.
SETTINGS = TuningSettings(
    rank=4,
    max_epochs=2,
    batch_rows=5,
    batch_tokens=100,
    learning_rate=1e-2,
    validation_share=0.2,
    patience=50,
)
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
WORK = """
import json, os, sys
from pathlib import Path
from llmsynth.training.run_folder import read_run
from llmsynth.training.tuning import tune
folder = Path(sys.argv[1])
model, _ = tune(read_run(folder))
held = sum(w.to_local().numel() for w in model.parameters())
whole = sum(w.numel() for w in model.parameters())
(folder / f"{os.environ['RANK']}.share").write_text(json.dumps([held, whole]))
"""


@pytest.fixture(scope="module")
def tied_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with one matrix for both ends, as small models have."""
    folder = tmp_path_factory.mktemp("models") / "tied"
    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(tiny_model)
    config.tie_word_embeddings = True
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


def _run(folder: Path, model: Path, settings: TuningSettings = SETTINGS) -> TuningRun:
    draw = np.random.default_rng(1)
    notes = ["A person of great age came in." * n for n in draw.integers(1, 4, 40)]
    table = pa.table({"age": draw.integers(20, 60, 40), "note": notes})
    schema = infer_schema(table)
    base = load_pretrained(str(model), dtype=torch.float32)
    return write_run(
        folder,
        base=str(model),
        name="tiny",
        schema=schema,
        orders=RowOrders(structured=(0,), texts=(1,), is_joint=False),
        settings=settings,
        fingerprint="this run",
        cells=RowTokens(RowLanguage(schema), base.tokenizer).cells(table),
    )


def _curve(report: TrainingReport) -> list[float]:
    return [check["held_out"] for check in report.history]


def _adapter(run: TuningRun, model: Path) -> torch.Tensor:
    base = load_pretrained(str(model), dtype=torch.float32).model
    loaded = PeftModel.from_pretrained(base, str(run.adapter))
    return torch.cat([w.flatten() for n, w in loaded.named_parameters() if "lora" in n])


@pytest.fixture(scope="module")
def alone(
    tied_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[torch.Tensor, TrainingReport]:
    model, report = tune(_run(tmp_path_factory.mktemp("alone"), tied_model))
    return torch.cat([w.detach().flatten() for w in learned_weights(model).values()]), report


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_each_process_holds_half_and_the_loss_curve_is_that_of_one(
    tmp_path: Path, tied_model: Path, alone: tuple[torch.Tensor, TrainingReport]
) -> None:
    run = _run(tmp_path, tied_model, replace(SETTINGS, shard_weights=True))
    (tmp_path / "work.py").write_text(WORK)
    command = [*TORCHRUN, str(tmp_path / "work.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=800)
    shares = [json.loads((tmp_path / f"{rank}.share").read_text()) for rank in (0, 1)]
    (whole,) = {share[1] for share in shares}
    assert sum(held for held, _ in shares) == whole
    assert all(held < 0.55 * whole for held, _ in shares)
    report = read_report(run.report)
    assert (report.processes, report.steps) == (2, alone[1].steps)
    assert len(_curve(report)) > 3
    assert _curve(report) == pytest.approx(_curve(alone[1]), rel=5e-3)
    cosine = torch.nn.functional.cosine_similarity(_adapter(run, tied_model), alone[0], dim=0)
    assert cosine > 0.99
    assert not (tmp_path / "checkpoint.safetensors").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_accelerates_own_flags_spread_weights_and_a_checkpoint_is_taken_up(
    tmp_path: Path, tied_model: Path, alone: tuple[torch.Tensor, TrainingReport]
) -> None:
    run = _run(tmp_path, tied_model)

    def interrupt(step: Step) -> None:
        if step.done > 0.4:
            raise KeyboardInterrupt

    base = load_pretrained(str(tied_model), dtype=torch.float32)
    cut = FineTuner(run, base, accelerator=Accelerator(cpu=True), progress=interrupt).run()
    assert cut.stopped == "interrupted"
    flags = ["--use_fsdp", "--fsdp_version", "2"]
    flags += ["--fsdp_auto_wrap_policy", "TRANSFORMER_BASED_WRAP"]
    command = [*ACCELERATE, *flags, "-m", "llmsynth.training", str(tmp_path)]
    subprocess.run(command, check=True, timeout=800)
    report = read_report(run.report)
    assert (report.processes, report.steps) == (2, alone[1].steps)
    assert _curve(report) == pytest.approx(_curve(alone[1]), rel=5e-3)
    cosine = torch.nn.functional.cosine_similarity(_adapter(run, tied_model), alone[0], dim=0)
    assert cosine > 0.99


def test_weights_are_spread_where_it_is_asked_for_and_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert sharding_plugin(TuningSettings(), torch.float32) is None
    asked = sharding_plugin(TuningSettings(shard_weights=True), torch.bfloat16)
    assert asked is not None
    assert asked.mixed_precision_policy.param_dtype is torch.bfloat16
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "1")
    with pytest.raises(SettingsError, match="Expected --fsdp_version 2, got 1"):
        sharding_plugin(TuningSettings(), torch.float32)
    monkeypatch.setenv("FSDP_VERSION", "2")
    assert sharding_plugin(TuningSettings(), torch.float32) is not None
    with pytest.raises(SettingsError, match="four bits"):
        TuningSettings(shard_weights=True, four_bit=True)
    with pytest.raises(SettingsError, match="there is one"):
        TextSettings(tuning=TuningSettings(shard_weights=True))
    result = CliRunner().invoke(app, ["fit", "t.csv", "--out", "o", "--shard-weights"])
    assert (result.exit_code, "is for a pretrained --model" in result.output) == (2, True)
