"""vLLM for real, in this process: valid rows, held conditions, repeated seeds, parted adapters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from llmsynth import PromptedSynthesizer, PromptSettings, Synthesizer, demo_tables
from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.adapter import Adapter
from llmsynth.engines.engine import FinishedRow, RowEngine, RowRequest, SamplingSettings
from llmsynth.engines.local_engine import LocalEngine
from llmsynth.engines.stop_reason import StopReason
from llmsynth.engines.vllm_engine import VllmEngine
from llmsynth.engines.vllm_settings import VllmSettings
from llmsynth.errors import EngineError, SettingsError
from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.models.servable_compact import write_servable
from llmsynth.schema import CategoryColumn, NumberColumn, TableSchema, infer_schema

# vLLM and what it imports warn of their own affairs.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("vllm_here")]


@pytest.fixture(scope="module")
def engine(vllm_here: None, bpe_model_dir: Path) -> Iterator[VllmEngine]:
    engine = VllmEngine(
        VllmSettings(model=bpe_model_dir, max_rows_at_once=16, cache_bytes=64 << 20, max_adapters=2)
    )
    yield engine
    engine.close()


def test_a_fitted_table_is_drawn_by_vllm_with_its_own_adapter(
    engine: VllmEngine, fitted_notes: Path
) -> None:
    synthesizer = Synthesizer.load(fitted_notes)
    sample = synthesizer.sample(24, where={"job": "clerk"}, seed=2, engine=engine)
    rows = sample.to_pandas()
    assert rows["job"].tolist() == ["clerk"] * 24
    assert rows["note"].str.len().max() <= synthesizer.schema_.column("note").maximum_length
    assert sample.report.copied_rows == 0
    assert synthesizer.sample(24, where={"job": "clerk"}, seed=2, engine=engine).table.equals(
        sample.table
    )
    # What the adapter learned is drawn, not the base model: the likeliest note is a local one.
    # Not all four are: where two tokens are nearly as likely, rounding decides, which differs.
    greedy = {"temperature": 1e-3, "seed": 2, "where": {"job": "clerk"}}
    drawn = synthesizer.sample(4, engine=engine, **greedy).to_pandas()["note"]
    assert set(drawn) & set(synthesizer.sample(4, **greedy).to_pandas()["note"])


@pytest.fixture(scope="module")
def local(bpe_model_dir: Path) -> LocalEngine:
    return LocalEngine(LlamaForCausalLM.from_pretrained(bpe_model_dir))


@pytest.fixture
def wanted(row_automaton: TokenAutomaton, row_pattern: str) -> Wanted:
    return Wanted(row_automaton, row_pattern)


class Wanted:
    """Makes requests that differ from each other in a word or two."""

    def __init__(self, automaton: TokenAutomaton, pattern: str) -> None:
        self.automaton, self.pattern = automaton, pattern

    def __call__(
        self,
        num_rows: int = 8,
        *,
        pattern: str | None = None,
        prefixes: Sequence[Sequence[int]] | None = None,
        prompt: Sequence[int] = (0,),
        adapter: Adapter | None = None,
        **settings: float | None,
    ) -> RowRequest:
        return RowRequest(
            automaton=self.automaton,
            pattern=pattern or self.pattern,
            prefix_ids=[[]] * num_rows if prefixes is None else prefixes,
            prompt_ids=prompt,
            settings=SamplingSettings(**{"seed": 3, **settings}),
            adapter=adapter,
        )


def in_order(engine: RowEngine, request: RowRequest) -> list[FinishedRow]:
    return sorted(engine.rows(request), key=lambda row: row.number)


def texts(engine: RowEngine, request: RowRequest) -> list[str]:
    return [row.text for row in in_order(engine, request)]


def test_every_row_from_random_weights_is_valid(engine: VllmEngine, wanted: Wanted) -> None:
    rows = in_order(engine, wanted(300, first_row=5))
    assert [row.number for row in rows] == list(range(5, 305))
    assert {row.reason for row in rows} == {StopReason.FINISHED}
    assert all(re.fullmatch(wanted.pattern, row.text) for row in rows)
    assert len({row.text for row in rows}) > 200


def test_seeds_repeat_whatever_else_is_in_the_batch(engine: VllmEngine, wanted: Wanted) -> None:
    whole = texts(engine, wanted(40))
    assert texts(engine, wanted(40)) == whole
    assert texts(engine, wanted(7, first_row=11)) == whole[11:18]
    assert texts(engine, wanted(40, seed=4)) != whole


def test_rows_come_as_they_finish(engine: VllmEngine, wanted: Wanted) -> None:
    iterator = engine.rows(wanted(200))
    numbers = [next(iterator).number for _ in range(20)]
    iterator.close()
    assert numbers != sorted(numbers)
    assert max(numbers) < 60  # the last ones have not even been handed over


def test_rows_start_as_they_were_told(
    engine: VllmEngine, wanted: Wanted, bpe_tokenizer: PreTrainedTokenizerFast, after_age: str
) -> None:
    ages = [7, 33, 121] * 4
    prefixes = [bpe_tokenizer.encode(f"age={age}; ") for age in ages]
    rows = in_order(engine, wanted(prefixes=prefixes, pattern=after_age))
    assert all(row.is_whole for row in rows)
    assert [row.text.split(";")[0] for row in rows] == [f"age={age}" for age in ages]


def test_greedy_rows_are_the_local_engines_bit_for_bit(
    engine: VllmEngine, local: LocalEngine, wanted: Wanted, bpe_tokenizer: PreTrainedTokenizerFast
) -> None:
    prompts = [[0], *(bpe_tokenizer.encode(text) for text in ("age=5; sex=", "note", "größe"))]
    for prompt in prompts:
        request = wanted(1, prompt=prompt, temperature=0)
        assert in_order(engine, request)[0].token_ids == in_order(local, request)[0].token_ids


def test_a_training_rows_tokens_come_back_as_they_were(
    engine: VllmEngine, wanted: Wanted, bpe_tokenizer: PreTrainedTokenizerFast
) -> None:
    """All but the last line break is given, so the engine returns what training would read."""
    rows = ["age=41; sex=Male; note=null", 'age=7; sex=Female; note="größe\\n"']
    given = [bpe_tokenizer.encode(row) for row in rows]
    request = wanted(prefixes=given, pattern=r"\n")
    returned = [list(row.token_ids) for row in in_order(engine, request)]
    assert returned == [bpe_tokenizer.encode(f"{row}\n") for row in rows]


def mixed(engine: RowEngine, requests: Sequence[RowRequest]) -> list[list[str]]:
    """The texts of requests that share every batch."""
    finished: list[list[FinishedRow]] = [[] for _ in requests]
    for rows in zip_longest(*(engine.rows(request) for request in requests)):
        for place, row in enumerate(rows):
            if row is not None:
                finished[place].append(row)
    return [[row.text for row in sorted(rows, key=lambda row: row.number)] for rows in finished]


def test_base_rows_never_get_an_adapter_that_shares_their_batch(
    engine: VllmEngine, local: LocalEngine, wanted: Wanted, adapter_dirs: list[Path]
) -> None:
    first, second, third = (Adapter(name=path.name, path=path) for path in adapter_dirs)
    alone = {
        adapter: texts(local, wanted(6, temperature=0, adapter=adapter))
        for adapter in (None, first, second, third)
    }
    assert len({rows[0] for rows in alone.values()}) == 4
    # With two adapters resident, the third takes the place of the one unused for longest.
    for pair in ((first, second), (second, third), (third, first)):
        arms = (None, *pair, None)
        got = mixed(engine, [wanted(6, temperature=0, adapter=adapter) for adapter in arms])
        assert got == [alone[adapter] for adapter in arms]


def test_more_adapters_at_once_than_there_is_room_for_are_refused(
    engine: VllmEngine, wanted: Wanted, adapter_dirs: list[Path]
) -> None:
    adapters = [Adapter(name=path.name, path=path) for path in adapter_dirs]
    busy = [engine.rows(wanted(50, adapter=adapter)) for adapter in adapters[:2]]
    for rows in busy:
        next(rows)
    with pytest.raises(EngineError, match="2 other adapters"):
        next(engine.rows(wanted(adapter=adapters[2])))
    for rows in busy:
        rows.close()
    assert next(engine.rows(wanted(adapter=adapters[2]))).is_whole


def test_bounds_end_rows_and_say_why(engine: VllmEngine, wanted: Wanted) -> None:
    cut = in_order(engine, wanted(5, max_new_tokens=3))
    assert {row.reason for row in cut} == {StopReason.MAX_NEW_TOKENS}
    assert all(len(row.token_ids) == 3 for row in cut)
    late = in_order(engine, wanted(5000, max_seconds=0.3))
    assert len(late) == 5000
    # A busy machine may finish no row in that time; none can finish all of them.
    assert StopReason.MAX_SECONDS in {row.reason for row in late}
    assert {row.reason for row in late} <= {StopReason.FINISHED, StopReason.MAX_SECONDS}
    long_prompt = wanted(5, prompt=[0] * 250)
    assert {row.reason for row in in_order(engine, long_prompt)} == {StopReason.CONTEXT_LENGTH}
    with pytest.raises(SettingsError, match="256 positions"):
        next(engine.rows(wanted(prompt=[0] * 256)))


def test_rows_may_be_given_up_half_way(engine: VllmEngine, wanted: Wanted) -> None:
    rows = engine.rows(wanted(100))
    next(rows)
    rows.close()
    assert len(in_order(engine, wanted(4))) == 4


def test_a_compiled_vocabulary_is_served(
    vllm_here: None, tmp_path: Path, random_llama: Callable[[int, int], LlamaForCausalLM]
) -> None:
    # A word a token; the letters are there because the automaton may stand inside a word.
    words = ["<end>", *"0123456789", "age=", "; sex=", "Male", "Female", "\n", *" ;=FMaeglmsx"]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)})),
        eos_token="<end>",
    )
    model = random_llama(len(words), 0)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    pattern = r"age=[1-9][0-9]?; sex=(?:Male|Female)\n"
    wanted = Wanted(TokenAutomaton.compile(pattern, tokenizer), pattern)
    after_age = r"; sex=(?:Male|Female)\n"
    engine = VllmEngine(VllmSettings(model=tmp_path, cache_bytes=64 << 20, max_adapters=0))
    try:
        free = in_order(engine, wanted(50))
        assert all(row.is_whole and re.fullmatch(pattern, row.text) for row in free)
        given = in_order(engine, wanted(prefixes=[[11, 4, 2]] * 9, pattern=after_age))
        assert {row.text for row in given} == {"age=31; sex=Male\n", "age=31; sex=Female\n"}
        greedy = wanted(1, temperature=0)
        local = in_order(LocalEngine(model), greedy)
        assert [row.token_ids for row in in_order(engine, greedy)] == [r.token_ids for r in local]
    finally:
        engine.close()
    with pytest.raises(EngineError, match="closed"):
        next(engine.rows(wanted(1)))


def test_rows_by_prompt_are_drawn_by_vllm_behind_one_prompt_each(
    engine: VllmEngine, bpe_model_dir: Path
) -> None:
    sex = CategoryColumn(name="sex", categories=("Male", "Female"))
    schema = TableSchema(columns=(NumberColumn(name="age", maximum="99"), sex))
    settings = PromptSettings(rows_per_prompt=8, keep_duplicates=True)
    synthesizer = PromptedSynthesizer(
        schema=schema,
        examples=pa.table({"age": [20, 60], "sex": ["Male", "Female"]}),
        model=str(bpe_model_dir),
        engine=engine,
        settings=settings,
    )
    first, second = (synthesizer.sample(16, quotas={"sex": {"Male": 0.25}}) for _ in range(2))
    assert first.table.equals(second.table)
    assert first.table["sex"].to_pylist().count("Male") == 4
    assert not {(20, "Male"), (60, "Female")} & {tuple(r.values()) for r in first.table.to_pylist()}
    assert str(first.provenance["model"]).count("vllm") == 1


# Last in this file: vLLM's own class ends, with itself, what all engines of a process share.
def test_a_compact_model_is_served(vllm_here: None, tmp_path: Path) -> None:
    language = RowLanguage(infer_schema(demo_tables.load("adult")))
    torch.manual_seed(0)
    sizes = tuple(int(size) for size in language.place_sizes)
    model = CompactModel(CompactShape(place_sizes=sizes, hidden_size=64, num_layers=2))
    torch.nn.init.normal_(model.head)
    order = range(len(language.codes))
    served = write_servable(model, language, tmp_path, order=order)
    settings = VllmSettings(model=tmp_path, cache_bytes=64 << 20, max_adapters=0)
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    llm = LLM(**settings.engine_arguments(has_gpu=False))
    structure = StructuredOutputsParams(regex=served.pattern)
    asked = [
        SamplingParams(seed=n, max_tokens=64, structured_outputs=structure, detokenize=False)
        for n in range(40)
    ]
    prompts = [{"prompt_token_ids": [served.begin_token]}] * len(asked)
    outputs = [out.outputs[0] for out in llm.generate(prompts, asked, use_tqdm=False)]
    llm.llm_engine.engine_core.shutdown()
    assert {out.finish_reason for out in outputs} == {"stop"}
    table = language.decode(served.codes([list(out.token_ids) for out in outputs]))
    rows = table.to_pylist()
    assert all(language.parse(language.serialize(row)) == row for row in rows)
    assert len({str(row) for row in rows}) > 20
