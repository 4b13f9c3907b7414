"""Rows as tokens: one row has one spelling, wherever it is learned, given or drawn."""

from __future__ import annotations

from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.row_tokens import RowTokens
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.schema import CategoryColumn, NumberColumn, TableSchema, TextColumn

SCHEMA = TableSchema(
    columns=(
        NumberColumn(name="age", minimum="0", maximum="120", nullable=True),
        CategoryColumn(name="odd=name", categories=("a; b", "c")),
        TextColumn(name="note", maximum_length=12),
    )
)
ROWS = st.fixed_dictionaries(
    {
        "age": st.none() | st.integers(0, 120),
        "odd=name": st.sampled_from(["a; b", "c"]),
        "note": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    }
)


def trained(
    *, normalizer: normalizers.Normalizer | None = None, add_prefix_space: bool = False
) -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    if normalizer is not None:
        bpe.normalizer = normalizer
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        ['age=39; note="the end"\n', '"odd=name"="a; b"; age=12\n'] * 20,
        trainers.BpeTrainer(
            vocab_size=330,
            special_tokens=["<begin>", "<end>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<begin>", eos_token="<end>")


@cache
def tokens() -> RowTokens:
    return RowTokens(RowLanguage(SCHEMA), trained())


@cache
def automaton(order: tuple[int, ...]) -> TokenAutomaton:
    pattern = tokens().language.regex([SCHEMA.names[column] for column in order])
    return TokenAutomaton.compile(pattern, trained())


def cells_of(row: dict[str, object], spelled: RowTokens) -> dict[int, list[int]]:
    language = spelled.language
    table = pa.table({c.name: pa.array([row[c.name]], c.storage) for c in SCHEMA.columns})
    return {i: spelled.cells(table)[n][0] for i, n in enumerate(language.schema.names)}


@settings(max_examples=60)
@given(ROWS, st.permutations([0, 1, 2]))
def test_a_learned_row_is_a_walk_of_the_automaton_and_parses_to_itself(
    row: dict[str, object], order: list[int]
) -> None:
    learned = tokens().row(order, cells_of(row, tokens()))
    inner = learned.token_ids[1:-1]
    walker = automaton(tuple(order))
    names = [SCHEMA.names[column] for column in order]
    assert walker.ended[walker.walk(inner)]
    assert walker.text(inner) == tokens().language.serialize(row, names)
    assert tokens().language.parse(walker.text(inner)) == row
    assert learned.token_ids[-1] == trained().eos_token_id


@given(ROWS, st.permutations([0, 1, 2]), st.integers(1, 2))
def test_a_prefix_is_the_beginning_of_the_learned_row(
    row: dict[str, object], order: list[int], num_given: int
) -> None:
    cells = cells_of(row, tokens())
    learned = tokens().row(order, cells).token_ids[1:]
    prefix = tokens().prefix(order[:num_given], cells, order[num_given])
    assert learned[: len(prefix)] == prefix
    assert learned[len(prefix) :][: len(cells[order[num_given]])] == cells[order[num_given]]


def test_prompt_and_literals_cost_nothing_and_the_end_is_learned() -> None:
    cells = cells_of({"age": 39, "odd=name": "c", "note": "the"}, tokens())
    row = tokens().row([0, 2, 1], cells)
    text = trained().convert_ids_to_tokens(row.token_ids)
    learned = "".join(t for t, flag in zip(text, row.is_learned, strict=True) if flag)
    assert learned == '039;"the";c\u010a<end>'
    assert row.is_learned[0] is False


def test_context_columns_cost_nothing_and_left_out_cells_are_not_there() -> None:
    cells = cells_of({"age": 39, "odd=name": "c", "note": "the"}, tokens())
    row = tokens().row([0, 1, 2], {**cells, 1: None}, num_context=2)
    text = trained().convert_ids_to_tokens(row.token_ids)
    learned = "".join(t for t, flag in zip(text, row.is_learned, strict=True) if flag)
    assert learned == '"the"\u010a<end>'
    assert "odd" not in "".join(text)


@pytest.mark.parametrize(
    "tokenizer",
    [trained(normalizer=normalizers.NFC()), trained(add_prefix_space=True)],
    ids=["normalises", "adds a space"],
)
@pytest.mark.parametrize("note", ["e\u0301 <end>", " <begin>", "plain"])
def test_texts_that_the_tokenizer_would_change_are_spelled_all_the_same(
    tokenizer: PreTrainedTokenizerFast, note: str
) -> None:
    spelled = RowTokens(RowLanguage(SCHEMA), tokenizer)
    row = {"age": None, "odd=name": "a; b", "note": note}
    ids = spelled.row([0, 1, 2], cells_of(row, spelled)).token_ids[1:-1]
    walker = TokenAutomaton.compile(spelled.language.regex(), tokenizer)
    assert spelled.language.parse(walker.text(ids)) == row


def test_the_pattern_after_a_prefix_matches_what_is_left_of_the_row() -> None:
    import re

    row = {"age": 39, "odd=name": "c", "note": "the"}
    text = tokens().language.serialize(row, ["note", "odd=name", "age"])
    rest = text.removeprefix('note="the"; "odd=name"=')
    assert re.fullmatch(tokens().pattern_after([1, 0]), rest)


def test_the_shortest_row_is_counted_in_tokens() -> None:
    shortest = tokens().row([0, 1, 2], {0: [5], 1: [5], 2: [5]}).token_ids
    assert len(shortest) <= tokens().fewest_tokens <= len(shortest) + 2
