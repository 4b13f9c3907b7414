"""Fine-tuning: what costs loss, what is repeated, what is taken up again, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from accelerate import Accelerator
from peft import PeftModel

from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.row_tokens import RowTokens
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.causal_lm import DecodingSettings, sample_rows
from llmsynth.errors import ModelError, OutOfMemoryError, TrainingError
from llmsynth.models.pretrained import Pretrained, load_pretrained
from llmsynth.progress import Step
from llmsynth.schema import infer_schema
from llmsynth.training.fine_tuning import FineTuner
from llmsynth.training.lora import learned_weights
from llmsynth.training.row_orders import RowOrders
from llmsynth.training.row_reading import RowReading
from llmsynth.training.run_folder import TuningRun, read_run, write_run
from llmsynth.training.tuning import tune, tune_in_processes
from llmsynth.training.tuning_settings import TuningSettings


def people(num_rows: int = 40) -> pa.Table:
    rng = np.random.default_rng(1)
    sex = rng.choice(["female", "male"], num_rows)
    notes = [f"A {s} person came in." for s in sex]
    return pa.Table.from_pandas(
        pd.DataFrame({"age": rng.integers(20, 60, num_rows), "sex": sex, "note": notes})
    )


def base_of(folder: Path) -> Pretrained:
    return load_pretrained(str(folder), dtype=torch.float32)


def run_in(
    folder: Path,
    model: Path,
    *,
    table: pa.Table | None = None,
    joint: bool = False,
    **settings: object,
) -> TuningRun:
    table = people() if table is None else table
    schema = infer_schema(table)
    texts = tuple(i for i, column in enumerate(schema.columns) if column.name == "note")
    structured = tuple(i for i in range(len(schema.columns)) if i not in texts)
    tokens = RowTokens(RowLanguage(schema), base_of(model).tokenizer)
    chosen = {"rank": 4, "max_epochs": 2, "batch_tokens": 400, "learning_rate": 1e-2, **settings}
    return write_run(
        folder,
        base=str(model),
        name="tiny",
        schema=schema,
        orders=RowOrders(structured=structured, texts=texts, is_joint=joint),
        settings=TuningSettings(**chosen),  # type: ignore[arg-type]
        fingerprint="this run",
        cells=tokens.cells(table),
    )


def tuner(run: TuningRun, model: Path, **options: object) -> FineTuner:
    return FineTuner(run, base_of(model), accelerator=Accelerator(cpu=True), **options)  # type: ignore[arg-type]


def weights(model: PeftModel) -> torch.Tensor:
    return torch.cat([w.detach().flatten() for w in learned_weights(model).values()])


def test_the_held_out_loss_falls_and_the_adapter_is_written(
    tmp_path: Path, tiny_model: Path
) -> None:
    run = run_in(tmp_path, tiny_model, max_epochs=4)
    steps: list[Step] = []
    model, report = tune(run, progress=steps.append)
    assert report.held_out_loss < report.history[0]["held_out"] - 1
    assert report.stopped == "schedule"
    assert steps[-1].done <= 1.0
    names = {path.name for path in run.adapter.iterdir()}
    assert names == {"adapter_model.safetensors", "adapter_config.json"}
    config = json.loads((run.adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    again = PeftModel.from_pretrained(base_of(tiny_model).model, str(run.adapter))
    written = {n: w for n, w in again.named_parameters() if "lora" in n}
    assert all(torch.equal(written[n], w) for n, w in learned_weights(model).items())


def test_a_memorised_row_is_decoded_to_the_very_tokens_it_was_learned_as(
    tmp_path: Path, tiny_model: Path
) -> None:
    table = pa.table({"age": [39] * 24, "note": ['so "it" is; a=b'] * 24})
    run = run_in(
        tmp_path,
        tiny_model,
        table=table,
        max_epochs=30,
        rank=16,
        batch_rows=8,
        validation_share=0.0,
    )
    base = base_of(tiny_model)
    model, _ = tune(run, base=base)
    tokens = RowTokens(RowLanguage(run.schema), base.tokenizer)
    names = list(run.schema.names)
    learned = tokens.row(range(len(names)), run.cells(0)).token_ids[len(tokens.prompt_ids) : -1]
    drawn = sample_rows(
        model,
        TokenAutomaton.compile(tokens.language.regex(), base.tokenizer),
        prefix_ids=[tokens.prefix((), {}, 0)],
        prompt_ids=tokens.prompt_ids,
        settings=DecodingSettings(seed=0, top_p=1e-9),
    )
    text = tokens.language.serialize(table.slice(0, 1).to_pylist()[0])
    assert drawn.texts(TokenAutomaton.compile(tokens.language.regex(), base.tokenizer)) == [text]
    value = len(tokens.prefix((), {}, 0)) + len(run.cells(0)[0] or ())
    assert drawn.token_ids[0, :value].tolist() == learned[:value]


def test_one_seed_gives_one_adapter_and_another_gives_another(
    tmp_path: Path, tiny_model: Path
) -> None:
    models = [
        tune(run_in(tmp_path / str(place), tiny_model, max_epochs=1, seed=seed))[0]
        for place, seed in enumerate((3, 3, 4))
    ]
    first, second, third = map(weights, models)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_an_interrupted_run_goes_on_from_its_checkpoint(tmp_path: Path, tiny_model: Path) -> None:
    whole = tuner(run_in(tmp_path / "whole", tiny_model), tiny_model)
    report = whole.run()

    def interrupt(step: Step) -> None:
        if step.done > 0.4:
            raise KeyboardInterrupt

    run = run_in(tmp_path / "cut", tiny_model)
    first = tuner(run, tiny_model, progress=interrupt)
    assert first.run().stopped == "interrupted"
    assert (run.folder / "checkpoint.safetensors").exists()
    second = tuner(run, tiny_model)
    again = second.run()
    assert again.steps == report.steps
    assert torch.allclose(weights(second.model), weights(whole.model), atol=1e-5)
    assert not (run.folder / "checkpoint.safetensors").exists()


def test_training_stops_early_when_the_held_out_loss_rises(
    tmp_path: Path, tiny_model: Path
) -> None:
    report = tuner(
        run_in(tmp_path, tiny_model, learning_rate=0.5, patience=1, max_epochs=30), tiny_model
    ).run()
    assert report.stopped == "early"
    lowest = min(check["held_out"] for check in report.history)
    assert report.held_out_loss == pytest.approx(lowest, abs=1e-3)


def test_a_time_budget_ends_the_run(tmp_path: Path, tiny_model: Path) -> None:
    run = run_in(tmp_path, tiny_model, max_epochs=1000, max_minutes=0.02)
    report = tuner(run, tiny_model).run()
    assert report.epochs < 1000
    assert report.stopped == "schedule"


def test_a_batch_that_does_not_fit_memory_is_halved_and_gives_the_same_gradients(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = tuner(run_in(tmp_path / "a", tiny_model, max_epochs=1), tiny_model)
    expected.run()
    short = tuner(run_in(tmp_path / "b", tiny_model, max_epochs=1), tiny_model)
    loss = RowReading._loss

    def limited(self: RowReading, batch: object) -> torch.Tensor:
        if batch.input_ids.numel() > 150:  # type: ignore[attr-defined]
            raise torch.OutOfMemoryError("out of memory")
        return loss(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(RowReading, "_loss", limited)
    monkeypatch.setattr(FineTuner, "_check", lambda self: self._state.note(1.0, 1.0, 0.0))
    expected_steps = expected._state.position.step
    report = short.run()
    assert report.steps == expected_steps
    assert short._reading.batch_tokens <= 200


def test_a_row_that_does_not_fit_memory_by_itself_is_a_named_error(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: RowReading, batch: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(RowReading, "_loss", never)
    monkeypatch.setattr(FineTuner, "_check", lambda self: self._state.note(1.0, 1.0, 0.0))
    with pytest.raises(OutOfMemoryError, match="does not fit"):
        tuner(run_in(tmp_path, tiny_model), tiny_model).run()


def test_a_table_too_wide_for_the_context_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    wide = pa.table({f"column number {k}": ["a", "b"] * 10 for k in range(60)})
    with pytest.raises(ModelError, match="reads 256 at once"):
        tuner(run_in(tmp_path, tiny_model, table=wide), tiny_model)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no fine-tuning run"):
        read_run(tmp_path)


def test_examples_are_mapped_from_disk_with_cells_left_out(
    tmp_path: Path, tiny_model: Path
) -> None:
    run = run_in(tmp_path, tiny_model)
    assert read_run(tmp_path).settings == run.settings
    assert read_run(tmp_path).orders == run.orders
    assert run.examples.cache_files
    assert set(run.cells(0)) == {0, 1, 2}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_of_accelerate_learn_what_one_does(tmp_path: Path, tiny_model: Path) -> None:
    alone, report = tune(run_in(tmp_path / "one", tiny_model, max_epochs=2, validation_share=0.2))
    run = run_in(tmp_path / "two", tiny_model, max_epochs=2, validation_share=0.2)
    steps: list[Step] = []
    together = tune_in_processes(run, 2, steps.append)
    assert (together.processes, together.steps) == (2, report.steps)
    assert steps
    assert together.held_out_loss == pytest.approx(report.held_out_loss, rel=0.02)
    shared = PeftModel.from_pretrained(base_of(tiny_model).model, str(run.adapter))
    written = torch.cat([w.flatten() for n, w in shared.named_parameters() if "lora" in n])
    assert torch.nn.functional.cosine_similarity(written, weights(alone), dim=0) > 0.95


@pytest.mark.slow
def test_a_process_that_fails_tells_why(tmp_path: Path, tiny_model: Path) -> None:
    run = run_in(tmp_path, tiny_model)
    facts = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**facts, "base": str(tmp_path / "gone")}))
    with pytest.raises(TrainingError, match="no model folder"):
        tune_in_processes(run, 2)
