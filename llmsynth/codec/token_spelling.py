"""Which bytes each token of a Hugging Face tokenizer stands for.

It knows byte-level BPE (GPT-2, Llama 3, SmolLM, Qwen) and SentencePiece with byte fallback
(Llama 2, Mistral, Gemma). Special tokens stand for no text at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from llmsynth.errors import SettingsError

_FALLBACK_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE_MARK = "\u2581"

Json = Mapping[str, Any]


class Tokenizer(Protocol):
    """What a tokenizer has to tell; every `PreTrainedTokenizerFast` does."""

    @property
    def eos_token_id(self) -> int | None:
        """The token that ends a text."""

    @property
    def all_special_ids(self) -> list[int]:
        """Tokens that stand for no text."""

    def get_vocab(self) -> dict[str, int]:
        """Every token with its id."""


@dataclass(frozen=True, kw_only=True)
class TokenSpelling:
    """The bytes of every token.

    Attributes:
        pieces: one entry per token id; None for special tokens and ids without a token.
        eos_token_id: the token that ends a text.
        strips_leading_space: whether encoding puts a space before a text that decoding takes off.
    """

    pieces: tuple[bytes | None, ...]
    eos_token_id: int
    strips_leading_space: bool

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> TokenSpelling:
        """Read the spelling of a tokenizer.

        Raises:
            SettingsError: the tokenizer has no end-of-text token, or its kind is unknown.
        """
        eos_token_id = tokenizer.eos_token_id
        if eos_token_id is None:
            raise SettingsError(
                "Expected a tokenizer with an end-of-text token; this one has none.",
                hint="Set tokenizer.eos_token to one of its special tokens.",
            )
        vocabulary = tokenizer.get_vocab()
        splitting, decoding = _stages(tokenizer)
        if _is_word_level(tokenizer):
            spelled_by = _word_piece
        elif _is_byte_level(splitting + decoding, vocabulary):
            spelled_by = _byte_level_piece
        else:
            spelled_by = _sentencepiece_piece
        pieces: list[bytes | None] = [None] * (max(vocabulary.values()) + 1)
        special = _special_ids(tokenizer)
        for token, token_id in vocabulary.items():
            if token_id not in special:
                pieces[token_id] = spelled_by(token) or None
        return cls(
            pieces=tuple(pieces),
            eos_token_id=eos_token_id,
            strips_leading_space=any(map(_adds_leading_space, splitting))
            or any(map(_takes_leading_space, decoding)),
        )


def _is_word_level(tokenizer: Tokenizer) -> bool:
    """Whether each token is written as it stands, as in a vocabulary compiled from a schema."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend is not None and json.loads(backend.to_str())["model"]["type"] == "WordLevel"


def _stages(tokenizer: Tokenizer) -> tuple[list[Json], list[Json]]:
    """Every stage of a fast tokenizer's pre-tokenizer and of its decoder."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return [], []
    description = json.loads(backend.to_str())
    return list(_flat(description["pre_tokenizer"])), list(_flat(description["decoder"]))


def _flat(stage: Json | None) -> Iterator[Json]:
    """Yield a stage and those nested in it."""
    if stage is not None:
        yield stage
        for nested in ("pretokenizers", "decoders"):
            for inner in stage.get(nested, []):
                yield from _flat(inner)


def _is_byte_level(stages: list[Json], vocabulary: Mapping[str, int]) -> bool:
    kinds = {stage["type"] for stage in stages}
    if "ByteLevel" in kinds:
        return True
    if kinds & {"ByteFallback", "Metaspace"} or "<0x0A>" in vocabulary:
        return False
    if not kinds and vocabulary.keys() >= set(_BYTE_OF_CHARACTER):
        return True
    raise SettingsError(
        "Expected a byte-level BPE or a SentencePiece tokenizer with byte fallback; "
        f"this one is made of {sorted(map(str, kinds)) or 'stages it does not tell'}.",
        hint="Choose a causal language model; WordPiece models cannot spell every text.",
    )


def _adds_leading_space(pre_tokenizer: Json) -> bool:
    match pre_tokenizer:
        case {"type": "ByteLevel", "add_prefix_space": True}:
            return True
        case {"type": "Metaspace", "prepend_scheme": "always" | "first"}:
            return True
        case _:
            return False


def _takes_leading_space(decoder: Json) -> bool:
    match decoder:
        case {"type": "Strip", "content": " ", "start": int(start)}:
            return start > 0
        case _:
            return False


def _special_ids(tokenizer: Tokenizer) -> set[int]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    reserved = {token_id for token_id, token in added.items() if token.special}
    return reserved | set(tokenizer.all_special_ids)


def _byte_level_piece(token: str) -> bytes:
    """Spell a byte-level token; one with foreign characters was added as plain text."""
    if all(character in _BYTE_OF_CHARACTER for character in token):
        return bytes(_BYTE_OF_CHARACTER[character] for character in token)
    return token.encode()


def _word_piece(token: str) -> bytes:
    return token.encode()


def _sentencepiece_piece(token: str) -> bytes:
    if fallback := _FALLBACK_BYTE.fullmatch(token):
        return bytes([int(fallback[1], 16)])
    return token.replace(_SPACE_MARK, " ").encode()


def _byte_alphabet() -> dict[str, int]:
    """The 256 characters that byte-level BPE writes bytes with.

    Printable Latin-1 bytes stand for themselves; the others take the code points from 256 on
    (Radford et al., "Language models are unsupervised multitask learners", 2019).
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + place): byte for place, byte in enumerate(others)
    }


_BYTE_OF_CHARACTER = _byte_alphabet()
