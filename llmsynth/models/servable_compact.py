"""A compact model under one column order as a checkpoint that any server of Llama models runs.

Three things keep a compact model from being an ordinary Llama, and each has an exact counterpart:

- Its input is the token written plus the place written next. Under one column order the place
  follows from the token, so both embeddings fold into one table.
- Its positions are not rotated. "llama3" scaling of the rotations divides every frequency by its
  factor where all wavelengths count as long; at 1e30 the rotations are the identity.
- Its gates are ReLU where servers know SiLU. silu(k x) / k differs from relu(x) by at most
  0.28 / k, and k = 2**20 can be multiplied into the weights without rounding.

Each token is written as one character of a private plane, so that a row's grammar is a regular
expression. Digits that are drawn evenly without asking the model are no part of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel

from llmsynth.codec.column_code import END, SKIPPED, Tokens
from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import SettingsError
from llmsynth.models.compact import CompactModel
from llmsynth.models.llama_checkpoint import llama_config, to_llama

_SHARPNESS = 2.0**20
_FIRST_CHARACTER = 0xF0000
_MOST_TOKENS = 0xFFFE
_BEGIN, _END = "<begin>", "<end>"


@dataclass(frozen=True, kw_only=True, eq=False)
class ServableCompact:
    """How rows are written in the tokens of a served compact model.

    Attributes:
        pattern: a regular expression of every row.
        begin_token: the prompt, one token.
        end_token: what ends a row.
        order: column indices as they are written.
        place_starts: the first token of each place, and behind the last place.
    """

    pattern: str
    begin_token: int
    end_token: int
    order: tuple[int, ...]
    place_starts: tuple[int, ...]

    def codes(self, rows: Sequence[Sequence[int]]) -> Tokens:
        """Codes as `RowLanguage.decode` reads them: int32 (rows, places), from served token ids.

        Evenly drawn digits are SKIPPED.
        """
        out = np.full((len(rows), len(self.place_starts) - 1), SKIPPED, dtype=np.int32)
        for row, tokens in enumerate(rows):
            kept = np.array([t for t in tokens if t < self.begin_token], dtype=np.int64)
            places = np.searchsorted(self.place_starts, kept, side="right") - 1
            out[row, places] = kept - np.array(self.place_starts)[places]
        return out


def write_servable(
    model: CompactModel,
    language: RowLanguage,
    folder: Path,
    *,
    order: Sequence[int],
    flat_places: frozenset[int] = frozenset(),
) -> ServableCompact:
    """Write config.json, model.safetensors and a tokenizer for one column order.

    Args:
        order: indices of the columns to be written, given ones first.
        flat_places: places whose digits are drawn evenly, the last ones of their columns.

    Raises:
        SettingsError: what is written next does not follow from the token alone, or there are
            more tokens than characters.
    """
    written = tuple(column for column in order if language.places(column))
    grammar = _Grammar(language, flat_places, model.place_starts)
    if model.shape.place_owners:
        raise SettingsError(
            "Texts that are spelled in pieces cannot be served: what is written behind a piece "
            "depends on how many stand before it.",
            hint="Fit without them (drop_text, --drop-text).",
        )
    shape, end_token = model.shape, model.shape.begin_token + 1
    if end_token > _MOST_TOKENS:
        raise SettingsError(f"Expected at most {_MOST_TOKENS} tokens, got {end_token}.")
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        **llama_config(shape),
        "vocab_size": end_token + 1,
        "hidden_act": "silu",
        "eos_token_id": end_token,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 10000.0,
            "factor": 1e30,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 1,
        },
        # The beginning, every place, and the end.
        "max_position_embeddings": len(shape.place_sizes) + 2,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    next_places = grammar.next_places(written)
    save_file(_weights(model, next_places), folder / "model.safetensors", {"format": "pt"})
    _write_tokenizer(folder, shape.begin_token)
    return ServableCompact(
        pattern="".join(grammar.pattern(column) for column in written),
        begin_token=shape.begin_token,
        end_token=end_token,
        order=written,
        place_starts=(*model.place_starts, shape.num_tokens),
    )


class _Grammar:
    """The cells' automata over served tokens."""

    def __init__(
        self, language: RowLanguage, flat_places: frozenset[int], place_starts: Sequence[int]
    ) -> None:
        self._language, self._flat, self._starts = language, flat_places, place_starts

    def pattern(self, column: int, state: int = 0) -> str:
        """A regular expression of the cells of a column, from a state of its automaton on."""
        branches = []
        for successor, tokens in self._branches(column, state).items():
            letters = "".join(chr(_FIRST_CHARACTER + token) for token in tokens)
            rest = "" if successor == END else self.pattern(column, successor)
            branches.append(f"[{letters}]{rest}")
        return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"

    def next_places(self, order: Sequence[int]) -> Mapping[int, int]:
        """The place that is written behind each token; by token."""
        found: dict[int, int] = {}
        for column, following in zip(order, [*order[1:], None], strict=True):
            after = -1 if following is None else self._language.places(following).start
            automaton = self._language.codes[column].automaton
            first = self._language.places(column).start
            for state in range(len(automaton.place)):
                if first + int(automaton.place[state]) in self._flat:
                    continue
                for successor, tokens in self._branches(column, state).items():
                    place = after if successor == END else first + int(automaton.place[successor])
                    for token in tokens:
                        if found.setdefault(token, place) != place:
                            name = self._language.schema.names[column]
                            raise SettingsError(
                                f"Column {name!r} cannot be served: what is written behind one of "
                                "its tokens depends on the tokens before."
                            )
        return found

    def _branches(self, column: int, state: int) -> dict[int, list[int]]:
        """Served tokens by the state they lead to; END also where only even digits follow."""
        automaton = self._language.codes[column].automaton
        first = self._language.places(column).start
        start = self._starts[first + int(automaton.place[state])]
        branches: dict[int, list[int]] = {}
        for token in np.flatnonzero(automaton.allowed[state]).tolist():
            successor = int(automaton.following[state, token])
            if successor != END and first + int(automaton.place[successor]) in self._flat:
                successor = END
            branches.setdefault(successor, []).append(start + token)
        return branches


@torch.no_grad()
def _weights(model: CompactModel, next_places: Mapping[int, int]) -> dict[str, torch.Tensor]:
    shape = model.shape
    out = to_llama(model)
    table = out["model.embed_tokens.weight"]
    embedding = torch.zeros(shape.begin_token + 2, shape.hidden_size)
    embedding[: shape.begin_token + 1] = table[: shape.begin_token + 1]
    for token, place in next_places.items():
        if place >= 0:
            embedding[token] += table[shape.first_place_token + place]
    first = next(iter(next_places))
    written_first = int(np.searchsorted(model.place_starts, first, side="right")) - 1
    embedding[shape.begin_token] += table[shape.first_place_token + written_first]
    out["model.embed_tokens.weight"] = embedding
    head = torch.zeros_like(embedding)
    head[: shape.num_tokens] = out["lm_head.weight"][: shape.num_tokens]
    out["lm_head.weight"] = head
    for name in list(out):
        if name.endswith("gate_proj.weight"):
            out[name] = out[name] * _SHARPNESS
        if name.endswith("down_proj.weight"):
            out[name] = out[name] / _SHARPNESS
    return out


def _write_tokenizer(folder: Path, begin_token: int) -> None:
    letters = {chr(_FIRST_CHARACTER + token): token for token in range(begin_token)}
    vocabulary = {**letters, _BEGIN: begin_token, _END: begin_token + 1}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=_BEGIN))
    tokenizer.add_special_tokens([AddedToken(_BEGIN, special=True), AddedToken(_END, special=True)])
    tokenizer.save(str(folder / "tokenizer.json"))
    facts = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": _BEGIN,
        "eos_token": _END,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(facts), encoding="utf-8")
