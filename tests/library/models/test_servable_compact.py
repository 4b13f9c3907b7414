"""A compact model served as an ordinary Llama: the same numbers, and a grammar of its own rows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from llmsynth import demo_tables
from llmsynth.codec.row_language import RowLanguage
from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.models.servable_compact import ServableCompact, write_servable
from llmsynth.schema import infer_schema
from llmsynth.tables.conforming import conform

Served = tuple[CompactModel, ServableCompact, Path]


@pytest.fixture(scope="module")
def language() -> RowLanguage:
    return RowLanguage(infer_schema(demo_tables.load("adult")))


@pytest.fixture(scope="module")
def served(language: RowLanguage, tmp_path_factory: pytest.TempPathFactory) -> Served:
    torch.manual_seed(0)
    sizes = tuple(int(size) for size in language.place_sizes)
    model = CompactModel(CompactShape(place_sizes=sizes, hidden_size=64, num_layers=2))
    torch.nn.init.normal_(model.head)
    folder = tmp_path_factory.mktemp("served")
    order = [3, 0, *(c for c in range(len(language.codes)) if c not in (0, 3))]
    return model, write_servable(model, language, folder, order=order), folder


def written(language: RowLanguage, served: Served, num_rows: int) -> list[list[int]]:
    """Served tokens of real rows, in the served order."""
    _, facts, _ = served
    table = conform(demo_tables.load("adult"), language.schema).slice(0, num_rows)
    rows = []
    for codes in language.encode(table):
        places = [p for column in facts.order for p in language.places(column) if codes[p] >= 0]
        rows.append([facts.place_starts[place] + int(codes[place]) for place in places])
    return rows


def test_a_llama_computes_what_the_compact_model_does(
    language: RowLanguage, served: Served
) -> None:
    model, facts, folder = served
    llama = LlamaForCausalLM.from_pretrained(folder)
    for tokens in written(language, served, 20):
        places = np.searchsorted(facts.place_starts, tokens, side="right") - 1
        before = [facts.begin_token, *tokens[:-1]]
        with torch.no_grad():
            states = model(torch.tensor([before]), torch.tensor(places)[None])[0]
            logits = llama(input_ids=torch.tensor([before])).logits[0]
            for step, place in enumerate(places.tolist()):
                expected = states[step] @ model.place_head(place, torch.float32).T
                first, last = facts.place_starts[place], facts.place_starts[place + 1]
                found = logits[step, first:last]
                torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_real_rows_are_sentences_of_the_served_grammar_and_come_back(
    language: RowLanguage, served: Served
) -> None:
    _, facts, folder = served
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = written(language, served, 200)
    for tokens in rows:
        text = "".join(tokenizer.convert_ids_to_tokens(tokens))
        assert re.fullmatch(facts.pattern, text)
        assert not re.fullmatch(facts.pattern, text[:-1])
    table = conform(demo_tables.load("adult"), language.schema).slice(0, 200)
    assert language.decode(facts.codes(rows)).equals(language.decode(language.encode(table)))
