"""A row language over a tokenizer's tokens: which tokens may follow, and where they lead.

Any sequence of tokens that spells a row is accepted, also one that cuts it across value borders
or that the tokenizer itself would not choose. Only arrays are held, so an automaton can be saved,
loaded and moved to a device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from llmsynth.codec.byte_automaton import DEAD, ByteAutomaton
from llmsynth.codec.token_spelling import Tokenizer, TokenSpelling
from llmsynth.codec.token_trie import TokenTrie
from llmsynth.errors import BundleError, ConditionError, SettingsError

_FORMAT = "llmsynth-token-automaton-1"
_DISPENSABLE = {0xF1, 0xF2}
"""Bytes that begin characters of Unicode's unassigned planes 4 to 11; some vocabularies, such as
SmolLM2's, were trained on texts without any and lack them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenAutomaton:
    """States over bytes, and the tokens that each of them allows.

    States that allow the same tokens share one set of them, so a text of up to a thousand
    characters costs no more tokens than one of fifty. Where a token leads is found by moving
    along its bytes.

    Attributes:
        byte_classes: uint8 (256,), bytes that no state tells apart share a class.
        moves: int32 (states, classes), the state a byte of the class leads to, or -1. The last
            state is entered by the end-of-text token alone and is left by nothing.
        final: bool (states,), whether the tokens so far spell a whole row.
        allowed_sets: int32 (states,), which of the sets of tokens may follow.
        set_starts: int64 (sets + 1,), where each set begins in `set_tokens`.
        set_tokens: int32, token ids, ascending within a set; the end-of-text token belongs to
            the sets of final states.
        token_starts: int64 (tokens + 1,), where each token begins in `token_bytes`; special
            tokens and unused ids are empty.
        token_bytes: uint8, the bytes of all tokens.
        start: the state before the first token.
        eos_token_id: the end-of-text token.
        strips_leading_space: whether a space before the row belongs to the tokenizer, not to it.
        key: `automaton_key` of what it was compiled from.
    """

    byte_classes: npt.NDArray[np.uint8]
    moves: npt.NDArray[np.int32]
    final: npt.NDArray[np.bool_]
    allowed_sets: npt.NDArray[np.int32]
    set_starts: npt.NDArray[np.int64]
    set_tokens: npt.NDArray[np.int32]
    token_starts: npt.NDArray[np.int64]
    token_bytes: npt.NDArray[np.uint8]
    start: int
    eos_token_id: int
    strips_leading_space: bool
    key: str

    @classmethod
    def compile(cls, pattern: str, tokenizer: Tokenizer) -> TokenAutomaton:
        """Compile the regular expression of a row for a tokenizer.

        Args:
            pattern: matches whole rows; see `ByteAutomaton.compile` for the dialect.

        Raises:
            SchemaError: the pattern is outside the dialect, or matches no text.
            SettingsError: the tokenizer is of an unknown kind, or cannot spell some row.
        """
        spelling = TokenSpelling.of(tokenizer)
        optional_space = " ?" if spelling.strips_leading_space else ""
        rows = _spellable(ByteAutomaton.compile(f"{optional_space}(?:{pattern})"), spelling)
        allowed_sets, set_starts, set_tokens = _allowed(rows, spelling)
        lengths = [len(piece or b"") for piece in spelling.pieces]
        return cls(
            byte_classes=rows.byte_classes,
            moves=np.pad(rows.moves, ((0, 1), (0, 0)), constant_values=DEAD),
            final=np.append(rows.final, True),
            allowed_sets=allowed_sets,
            set_starts=set_starts,
            set_tokens=set_tokens,
            token_starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            token_bytes=np.frombuffer(b"".join(filter(None, spelling.pieces)), dtype=np.uint8),
            start=rows.start,
            eos_token_id=spelling.eos_token_id,
            strips_leading_space=spelling.strips_leading_space,
            key=_key(pattern, spelling),
        )

    @classmethod
    def load_or_compile(cls, pattern: str, tokenizer: Tokenizer, directory: Path) -> TokenAutomaton:
        """Load the automaton of this pattern and tokenizer, or compile it and leave it there."""
        path = directory / f"{automaton_key(pattern, tokenizer)}.safetensors"
        if path.exists():
            return cls.load(path)
        automaton = cls.compile(pattern, tokenizer)
        directory.mkdir(parents=True, exist_ok=True)
        automaton.save(path)
        return automaton

    @property
    def num_states(self) -> int:
        """How many states there are."""
        return len(self.moves)

    @property
    def num_tokens(self) -> int:
        """The tokenizer's vocabulary size: one more than its largest token id."""
        return len(self.token_starts) - 1

    @property
    def done(self) -> int:
        """The state after the end-of-text token."""
        return self.num_states - 1

    @property
    def ended(self) -> npt.NDArray[np.bool_]:
        """bool (states,), where the row is whole and nothing but its end can follow."""
        ended: npt.NDArray[np.bool_] = self.final & (self.moves == DEAD).all(axis=1)
        return ended

    def allowed(self, state: int) -> npt.NDArray[np.int32]:
        """The token ids that may follow a state, ascending; empty only for `done`."""
        chosen = self.allowed_sets[state]
        return self.set_tokens[self.set_starts[chosen] : self.set_starts[chosen + 1]]

    def mask(self, states: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which tokens may follow: bool (n, tokens) for integer states (n,)."""
        rows = np.asarray(states)
        mask = np.zeros((len(rows), self.num_tokens), dtype=np.bool_)
        for row, state in enumerate(rows):
            mask[row, self.allowed(state)] = True
        return mask

    def walk(self, token_ids: Iterable[int], state: int | None = None) -> int:
        """The state after the given tokens, from the start or from `state`.

        Raises:
            ConditionError: a token that no row continues with; the message names its position.
        """
        at = self.start if state is None else state
        walked: list[int] = []
        for token_id in token_ids:
            following = self._after(at, int(token_id))
            if following == DEAD:
                raise ConditionError(
                    f"Expected the beginning of a row; after {self.text(walked)!r}, token number "
                    f"{len(walked) + 1} ({self.text([token_id])!r}) fits none."
                )
            at = following
            walked.append(int(token_id))
        return at

    def text(self, token_ids: Iterable[int]) -> str:
        """The text that tokens from the start of a row spell.

        Special tokens spell nothing. A character cut short, as only an unfinished row can have
        at its end, becomes U+FFFD.
        """
        starts = self.token_starts
        pieces = [
            self.token_bytes[starts[token] : starts[token + 1]].tobytes()
            for token in token_ids
            if 0 <= token < self.num_tokens
        ]
        text = b"".join(pieces).decode(errors="replace")
        return text.removeprefix(" ") if self.strips_leading_space else text

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        arrays = {name: np.asarray(getattr(self, name)) for name in _array_names()}
        facts = {
            "start": str(self.start),
            "eos_token_id": str(self.eos_token_id),
            "strips_leading_space": str(int(self.strips_leading_space)),
            "key": self.key,
        }
        save_file(arrays, path, metadata={"format": _FORMAT, **facts})

    @classmethod
    def load(cls, path: Path) -> TokenAutomaton:
        """Read what `save` wrote.

        Raises:
            BundleError: no such file, or not one of these.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                facts = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise BundleError(f"Expected a token automaton at {path}: {error}.") from error
        if facts.get("format") != _FORMAT or arrays.keys() != set(_array_names()):
            raise BundleError(
                f"Expected a token automaton at {path}, got {facts.get('format', 'another file')}.",
                hint="Delete the file; it is compiled again when needed.",
            )
        return cls(
            **arrays,
            start=int(facts["start"]),
            eos_token_id=int(facts["eos_token_id"]),
            strips_leading_space=facts["strips_leading_space"] == "1",
            key=facts["key"],
        )

    def _after(self, state: int, token_id: int) -> int:
        if token_id == self.eos_token_id and self.final[state] and state != self.done:
            return self.done
        if not 0 <= token_id < self.num_tokens:
            return DEAD
        piece = self.token_bytes[self.token_starts[token_id] : self.token_starts[token_id + 1]]
        if not len(piece):
            return DEAD
        for byte_class in self.byte_classes[piece]:
            state = int(self.moves[state, byte_class])
            if state == DEAD:
                return DEAD
        return state


def automaton_key(pattern: str, tokenizer: Tokenizer) -> str:
    """A name for what an automaton is compiled from: pattern, vocabulary and format."""
    return _key(pattern, TokenSpelling.of(tokenizer))


def _key(pattern: str, spelling: TokenSpelling) -> str:
    digest = hashlib.sha256(f"{_FORMAT}\0{pattern}\0".encode())
    digest.update(f"{spelling.eos_token_id} {spelling.strips_leading_space}".encode())
    for piece in spelling.pieces:
        digest.update(b"-" if piece is None else f"{len(piece)}:".encode() + piece)
    return digest.hexdigest()


def _array_names() -> list[str]:
    return [f.name for f in fields(TokenAutomaton) if "NDArray" in str(f.type)]


def _spellable(rows: ByteAutomaton, spelling: TokenSpelling) -> ByteAutomaton:
    """Without a token for each byte, a state could be reached that no token leaves."""
    single = {piece[0] for piece in spelling.pieces if piece is not None and len(piece) == 1}
    missing = rows.used_bytes() - single
    if not missing <= _DISPENSABLE:
        raise SettingsError(
            f"Expected a tokenizer with a token for every byte; this one has none for "
            f"{bytes(sorted(missing))!r}, which rows can contain.",
            hint="Use a byte-level BPE trained with the full byte alphabet, or byte fallback.",
        )
    return rows.without(missing) if missing else rows


def _allowed(
    rows: ByteAutomaton, spelling: TokenSpelling
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The token sets of all states, the one past the end included (its set is empty)."""
    depth = max(len(piece) for piece in spelling.pieces if piece is not None)
    kinds = rows.lookalikes(depth) * 2 + rows.final
    _, representatives, sets = np.unique(kinds, return_index=True, return_inverse=True)
    trie = TokenTrie.build(rows.byte_classes, spelling.pieces)
    owners, tokens = trie.walked(rows.moves, representatives)
    ending = np.flatnonzero(rows.final[representatives])
    owners = np.concatenate([owners, ending])
    tokens = np.concatenate([tokens, np.full(len(ending), spelling.eos_token_id)])
    order = np.lexsort((tokens, owners))
    starts = np.searchsorted(owners[order], np.arange(len(representatives) + 2))
    return (
        np.append(sets.reshape(-1), len(representatives)).astype(np.int32),
        starts.astype(np.int64),
        tokens[order].astype(np.int32),
    )
