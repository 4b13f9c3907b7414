"""The seam and the local engine behind it: every row once, valid, bounded, the right adapter."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.adapter import Adapter
from llmsynth.engines.engine import FinishedRow, RowEngine, RowRequest, SamplingSettings
from llmsynth.engines.local_engine import LocalEngine
from llmsynth.engines.row_length import longest_row, most_new_tokens
from llmsynth.engines.stop_reason import StopReason
from llmsynth.errors import ConditionError, SettingsError


@pytest.fixture(scope="module")
def engine(bpe_model_dir: Path) -> LocalEngine:
    return LocalEngine(LlamaForCausalLM.from_pretrained(bpe_model_dir), batch_size=8)


def wanted(
    automaton: TokenAutomaton,
    pattern: str,
    *,
    num_rows: int = 6,
    prefixes: Sequence[Sequence[int]] | None = None,
    adapter: Adapter | None = None,
    **settings: float | None,
) -> RowRequest:
    return RowRequest(
        automaton=automaton,
        pattern=pattern,
        prefix_ids=[[]] * num_rows if prefixes is None else prefixes,
        prompt_ids=[0],
        settings=SamplingSettings(**{"seed": 3, **settings}),
        adapter=adapter,
    )


def texts(engine: RowEngine, request: RowRequest) -> list[str]:
    return [row.text for row in sorted(engine.rows(request), key=lambda row: row.number)]


def test_every_row_comes_once_whole_and_valid(
    engine: LocalEngine, row_automaton: TokenAutomaton, row_pattern: str
) -> None:
    rows = list(engine.rows(wanted(row_automaton, row_pattern, num_rows=20, first_row=5)))
    assert sorted(row.number for row in rows) == list(range(5, 25))
    assert all(row.is_whole and re.fullmatch(row_pattern, row.text) for row in rows)
    assert all(0 < (row.removed_mass or 0) < 1 for row in rows)


def test_rows_do_not_depend_on_the_batch_nor_on_where_a_call_began(
    engine: LocalEngine, row_automaton: TokenAutomaton, row_pattern: str
) -> None:
    whole = texts(engine, wanted(row_automaton, row_pattern, num_rows=20))
    rest = texts(engine, wanted(row_automaton, row_pattern, num_rows=11, first_row=9))
    assert rest == whole[9:]


def test_temperature_zero_takes_the_likeliest_token(
    engine: LocalEngine, row_automaton: TokenAutomaton, row_pattern: str
) -> None:
    first, second = (
        texts(engine, wanted(row_automaton, row_pattern, num_rows=3, temperature=0, seed=seed))
        for seed in (1, 2)
    )
    assert first == second
    assert len(set(first)) == 1


def test_rows_start_as_they_were_told(
    engine: LocalEngine,
    row_automaton: TokenAutomaton,
    bpe_tokenizer: PreTrainedTokenizerFast,
    after_age: str,
) -> None:
    prefixes = [bpe_tokenizer.encode(f"age={age}; ") for age in (7, 33, 121)]
    rows = texts(engine, wanted(row_automaton, after_age, prefixes=prefixes))
    assert [row.split(";")[0] for row in rows] == ["age=7", "age=33", "age=121"]


def test_an_adapter_is_used_for_its_own_rows_only(
    engine: LocalEngine, row_automaton: TokenAutomaton, row_pattern: str, adapter_dirs: list[Path]
) -> None:
    first, second = (Adapter(name=path.name, path=path) for path in adapter_dirs[:2])

    def greedy(adapter: Adapter | None) -> str:
        request = wanted(row_automaton, row_pattern, num_rows=1, temperature=0, adapter=adapter)
        return texts(engine, request)[0]

    orders = [[greedy(a) for a in (None, first, second, first, None)] for _ in range(2)]
    base, one, two, again, bare = orders[0]
    assert orders[0] == orders[1]
    assert (base, one) == (bare, again)
    assert len({base, one, two}) == 3


def test_an_adapter_written_anew_is_read_anew(tmp_path: Path, adapter_dirs: list[Path]) -> None:
    for file in adapter_dirs[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    adapter = Adapter(name="mine", path=tmp_path)
    before = adapter.version()
    time.sleep(0.01)
    (tmp_path / "adapter_model.safetensors").touch()
    assert adapter.version() != before


def test_a_folder_without_an_adapter_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"adapter_config.json.* in {tmp_path}"):
        Adapter(name="none", path=tmp_path).version()


def test_an_adapter_of_another_model_is_refused(
    row_automaton: TokenAutomaton,
    row_pattern: str,
    adapter_dirs: list[Path],
    bpe_model_dir: Path,
) -> None:
    config = LlamaForCausalLM.from_pretrained(bpe_model_dir).config
    config.intermediate_size = 80
    engine = LocalEngine(LlamaForCausalLM(config))
    adapter = Adapter(name="other", path=adapter_dirs[0])
    with pytest.raises(SettingsError, match=r"'other'.*does not fit the model"):
        list(engine.rows(wanted(row_automaton, row_pattern, adapter=adapter)))


def test_time_is_bounded_over_all_batches(
    engine: LocalEngine, row_automaton: TokenAutomaton, row_pattern: str
) -> None:
    started = time.monotonic()
    request = wanted(row_automaton, row_pattern, num_rows=4000, max_seconds=0.2)
    rows = list(engine.rows(request))
    assert len(rows) == 4000
    # A busy machine may finish no row in that time; none can finish all of them.
    assert StopReason.MAX_SECONDS in {row.reason for row in rows}
    assert {row.reason for row in rows} <= {StopReason.FINISHED, StopReason.MAX_SECONDS}
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("prefix", "follows"),
    [("age=3", "'0; sex="), ("age=39; sex=M", "'ale;"), ("age=39", "'0; sex=")],
)
def test_a_prefix_that_ends_inside_a_cell_is_refused_by_row(
    row_automaton: TokenAutomaton,
    after_age: str,
    bpe_tokenizer: PreTrainedTokenizerFast,
    prefix: str,
    follows: str,
) -> None:
    prefixes = [bpe_tokenizer.encode(text) for text in ("age=7; ", prefix)]
    with pytest.raises(ConditionError, match=rf"Prefix of row 2: {follows}"):
        wanted(row_automaton, after_age, prefixes=prefixes)


def test_a_prefix_that_no_row_has_is_refused_before_anything_runs(
    row_automaton: TokenAutomaton, row_pattern: str, bpe_tokenizer: PreTrainedTokenizerFast
) -> None:
    with pytest.raises(ConditionError, match="Prefix of row 2"):
        wanted(row_automaton, row_pattern, prefixes=[[], bpe_tokenizer.encode("sex=")])


def test_nothing_to_start_from_is_refused(row_automaton: TokenAutomaton, row_pattern: str) -> None:
    settings = SamplingSettings(seed=1)
    with pytest.raises(SettingsError, match="neither prompt nor prefix"):
        RowRequest(automaton=row_automaton, pattern=row_pattern, prefix_ids=[[]], settings=settings)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("temperature", -1), ("top_p", 0), ("max_new_tokens", 0), ("max_seconds", 0)],
)
def test_a_setting_out_of_range_is_named(setting: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"{setting}: expected"):
        SamplingSettings(**{"seed": 1, setting: value})


def test_the_longest_row_is_counted_in_bytes(bpe_tokenizer: PreTrainedTokenizerFast) -> None:
    # "ab" or "xyé": 4 bytes, and the end of the row.
    assert longest_row(TokenAutomaton.compile("(?:ab|xyé)", bpe_tokenizer)) == 5
    assert longest_row(TokenAutomaton.compile("a+", bpe_tokenizer)) is None


def test_new_tokens_are_bounded_by_the_language_and_the_context(
    bpe_tokenizer: PreTrainedTokenizerFast,
) -> None:
    automaton = TokenAutomaton.compile("[0-9]{30}", bpe_tokenizer)
    request = wanted(automaton, "[0-9]{30}")
    assert most_new_tokens(request, 100) == 31
    assert most_new_tokens(request, 20) == 19
    assert most_new_tokens(wanted(automaton, "[0-9]{30}", max_new_tokens=4), 100) == 4
    with pytest.raises(SettingsError, match="fit the model's 1 positions, got 1 tokens"):
        most_new_tokens(request, 1)


def test_the_models_training_mode_is_left_alone(
    engine: LocalEngine, row_automaton: TokenAutomaton, row_pattern: str
) -> None:
    assert not torch.is_inference_mode_enabled()
    iterator = engine.rows(wanted(row_automaton, row_pattern, num_rows=20))
    assert isinstance(next(iterator), FinishedRow)
    assert not torch.is_inference_mode_enabled()
