"""Token automata: whatever spells a row is accepted, and whatever is accepted spells a row."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outlines_core import Index, Vocabulary
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from llmsynth.codec.token_automaton import TokenAutomaton, automaton_key
from llmsynth.codec.token_spelling import TokenSpelling
from llmsynth.errors import BundleError, ConditionError, SchemaError, SettingsError

CHARACTER = r'(?:[^"\\\x00-\x1f\x7f]|\\["\\/bfnrt])'
ROW = (
    r"age=[0-9]{1,3}; sex=(?:Male|Female); "
    rf'note=(?:"{CHARACTER}{{0,12}}"|null); '
    r"income=(?:<=50K|>50K)\n"
)
NOTES = ("null", '"free \\"text\\""', '"größe; a=b"', '"日本語 🎉"', '"two\\nlines"', '""')
rows = st.builds(
    "age={}; sex={}; note={}; income={}\n".format,
    st.integers(0, 999),
    st.sampled_from(["Male", "Female"]),
    st.sampled_from(NOTES)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=6).map(
        lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ),
    st.sampled_from(["<=50K", ">50K"]),
)


def corpus() -> list[str]:
    return [
        f"age={age}; sex={sex}; note={note}; income={income}\n"
        for age in range(17, 91)
        for sex in ("Male", "Female")
        for note in NOTES
        for income in ("<=50K", ">50K")
    ]


@cache
def byte_level(size: int = 700) -> PreTrainedTokenizerFast:
    """A byte-level BPE whose merges may cross everything but a line break."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        [part for row in corpus() for part in re.findall(r"[^;]*;|[^;]+", row)],
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=["<end>", "<pad>"],
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<end>", pad_token="<pad>")


@cache
def sentencepiece() -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    bpe.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    bpe.train_from_iterator(
        [row.replace("日本語 🎉", "").replace("\n", "") for row in corpus()],
        trainers.BpeTrainer(
            vocab_size=500, special_tokens=["</s>", "<unk>", *fallback], show_progress=False
        ),
    )
    # Real SentencePiece vocabularies hold the byte tokens as ordinary ones.
    described = json.loads(bpe.to_str())
    described["added_tokens"] = [
        token for token in described["added_tokens"] if token["content"] not in fallback
    ]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(described)),
        eos_token="</s>",
        unk_token="<unk>",
    )


@cache
def row_automaton() -> TokenAutomaton:
    return TokenAutomaton.compile(ROW, byte_level())


@given(rows)
@settings(deadline=None)
def test_the_canonical_tokens_of_every_valid_row_lead_to_its_end(row: str) -> None:
    tokens = byte_level().encode(row)
    state = row_automaton().walk(tokens)
    assert row_automaton().ended[state]
    assert row_automaton().text(tokens) == row


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_every_random_path_spells_a_valid_row(seed: int) -> None:
    automaton, draw = row_automaton(), np.random.default_rng(seed)
    tokens: list[int] = []
    state = automaton.start
    while not automaton.ended[state]:
        tokens.append(int(draw.choice(automaton.allowed(state))))
        state = automaton.walk(tokens[-1:], state)
    text = automaton.text(tokens)
    assert re.fullmatch(ROW, text)
    assert byte_level().decode(tokens, clean_up_tokenization_spaces=False) == text


def test_tokens_may_cross_the_borders_of_values() -> None:
    row = 'age=39; sex=Male; note="free \\"text\\""; income=<=50K\n'
    pieces = [row_automaton().text([token]) for token in byte_level().encode(row)]
    assert any("=" in piece.strip("=") or '";' in piece for piece in pieces)


def test_the_allowed_tokens_of_each_state_are_exactly_those_that_can_be_walked() -> None:
    automaton = row_automaton()
    for state in range(automaton.num_states):
        walked = [t for t in range(automaton.num_tokens) if automaton._after(state, t) != -1]
        assert automaton.allowed(state).tolist() == walked


@pytest.mark.parametrize(
    "pattern",
    [ROW, "a|ab|abc(?:de){2,}", "é+|日本", '"[^"\n]*"', "(?:x|)y?", "[0-9]{2}\n"],
)
def test_it_agrees_with_the_reference_index_in_every_state(pattern: str) -> None:
    if pattern == ROW:
        pattern = pattern.replace(CHARACTER, "[a-zé]")
    spelling = TokenSpelling.of(byte_level())
    vocabulary = Vocabulary(spelling.eos_token_id, {})
    for token, piece in enumerate(spelling.pieces):
        if piece is not None:
            vocabulary.insert(piece, token)
    theirs, ours = Index(pattern, vocabulary), TokenAutomaton.compile(pattern, byte_level())
    seen = {(ours.start, theirs.get_initial_state())}
    queue = list(seen)
    for mine, reference in queue:
        assert ours.final[mine] == theirs.is_final_state(reference)
        allowed = sorted(set(theirs.get_allowed_tokens(reference) or []))
        assert ours.allowed(mine).tolist() == allowed
        for token in set(allowed) - {spelling.eos_token_id}:
            pair = (ours.walk([token], mine), theirs.get_next_state(reference, token))
            if pair not in seen:
                seen.add(pair)
                queue.append(pair)
    assert len(queue) > 1


@pytest.mark.parametrize(
    "text",
    ["age=1234", "age=39; sex=Other", "sex=Male", 'age=1; sex=Male; note="a\n', " age=1", "\x00"],
)
def test_tokens_that_begin_no_row_are_refused(text: str) -> None:
    with pytest.raises(ConditionError, match="token number"):
        row_automaton().walk(byte_level().encode(text))


def test_a_refusal_names_the_text_before_it_and_the_token() -> None:
    tokens = byte_level().encode("age=39") + byte_level().encode("?")
    with pytest.raises(ConditionError, match=r"after 'age=39', token number \d+ \('\?'\)"):
        row_automaton().walk(tokens)


def test_a_prefix_is_not_final_and_the_walk_goes_on_from_it() -> None:
    automaton, tokens = row_automaton(), byte_level().encode(corpus()[0])
    for cut in range(len(tokens)):
        state = automaton.walk(tokens[:cut])
        assert not automaton.final[state]
        assert automaton.walk(tokens[cut:], state) == automaton.walk(tokens)


def test_the_end_token_is_allowed_in_final_states_only_and_nothing_follows_it() -> None:
    automaton = TokenAutomaton.compile("[0-9]{1,2}", byte_level())
    end = byte_level().eos_token_id
    one = automaton.walk(byte_level().encode("7"))
    assert end not in automaton.allowed(automaton.start)
    assert end in automaton.allowed(one)
    assert not automaton.ended[one]
    assert automaton.ended[automaton.walk(byte_level().encode("77"))]
    done = automaton.walk([end], one)
    assert done == automaton.done
    assert automaton.allowed(done).size == 0
    with pytest.raises(ConditionError):
        automaton.walk([end], done)


def test_special_tokens_are_never_allowed_and_added_plain_ones_are() -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_level().backend_tokenizer, eos_token="<end>", pad_token="<pad>"
    )
    tokenizer.add_tokens([AddedToken("Fe male", special=False), AddedToken("Male!", special=True)])
    automaton = TokenAutomaton.compile("(?:Fe male|Male!|<end>|<pad>)", tokenizer)
    plain, special = tokenizer.convert_tokens_to_ids(["Fe male", "Male!"])
    assert plain in automaton.allowed(automaton.start)
    for token in (special, tokenizer.eos_token_id, tokenizer.pad_token_id, -1, 10**6):
        with pytest.raises(ConditionError):
            automaton.walk([token])


@given(rows)
@settings(deadline=None)
def test_sentencepiece_rows_are_accepted_with_and_without_their_leading_space(row: str) -> None:
    automaton = sentencepiece_automaton()
    tokens = sentencepiece().encode(row)
    assert automaton.ended[automaton.walk(tokens)]
    assert automaton.text(tokens) == row
    letter_by_letter = [sentencepiece().convert_tokens_to_ids(f"<0x{b:02X}>") for b in row.encode()]
    assert automaton.ended[automaton.walk(letter_by_letter)]
    assert automaton.text(letter_by_letter) == row


@cache
def sentencepiece_automaton() -> TokenAutomaton:
    return TokenAutomaton.compile(ROW, sentencepiece())


def test_the_mask_marks_the_allowed_tokens_of_each_state() -> None:
    automaton = row_automaton()
    states = [automaton.start, automaton.walk(byte_level().encode("age=3")), automaton.done]
    mask = automaton.mask(states)
    assert mask.shape == (3, automaton.num_tokens)
    for row, state in zip(mask, states, strict=True):
        assert np.flatnonzero(row).tolist() == automaton.allowed(state).tolist()


def test_a_long_counted_text_shares_the_token_sets_of_its_states() -> None:
    automaton = TokenAutomaton.compile(rf'"{CHARACTER}{{0,1000}}"\n', byte_level())
    assert automaton.num_states > 5000
    assert len(automaton.set_starts) < 1000
    longest = byte_level().encode('"' + "ö" * 1000)
    assert automaton.text(automaton.allowed(automaton.walk(longest))[:1]) in {'"', '"\n'}


def test_a_saved_automaton_comes_back_equal(tmp_path: Path) -> None:
    compiled = TokenAutomaton.load_or_compile(ROW, byte_level(), tmp_path / "new")
    (file,) = (tmp_path / "new").iterdir()
    written = file.stat().st_mtime_ns
    loaded = TokenAutomaton.load_or_compile(ROW, byte_level(), tmp_path / "new")
    assert file.stat().st_mtime_ns == written
    assert file.stem == loaded.key == automaton_key(ROW, byte_level())
    for name, value in vars(compiled).items():
        other = getattr(loaded, name)
        assert np.array_equal(value, other)
        assert np.asarray(value).dtype == np.asarray(other).dtype


def test_the_key_tells_patterns_and_vocabularies_apart() -> None:
    keys = {automaton_key(p, t) for p in ("a", "b") for t in (byte_level(), byte_level(400))}
    assert len(keys) == 4


def test_a_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no automaton")
    for name in ("missing", "text"):
        with pytest.raises(BundleError, match="token automaton"):
            TokenAutomaton.load(tmp_path / name)


@pytest.mark.parametrize("pattern", ["(", "(?=a)b", "^a$", r"(a)\1", "[a&&b]"])
def test_patterns_outside_the_dialect_are_refused(pattern: str) -> None:
    with pytest.raises(SchemaError, match="Expected a"):
        TokenAutomaton.compile(pattern, byte_level())


def test_a_tokenizer_without_a_token_for_some_byte_is_refused() -> None:
    bpe = Tokenizer(models.BPE(vocab={"a": 0, "b": 1, "<end>": 2}, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<end>")
    with pytest.raises(SettingsError, match="none for b'c'"):
        TokenAutomaton.compile("[abc]", tokenizer)


def test_bytes_of_unassigned_planes_are_dispensable() -> None:
    alphabet = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - {"ñ", "ò"})  # 0xF1 and 0xF2
    vocabulary = {token: number for number, token in enumerate(["<end>", *alphabet])}
    bpe = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<end>")
    automaton = TokenAutomaton.compile('"[^"]{0,3}"', tokenizer)
    assert automaton.ended[automaton.walk(tokenizer.encode('"ñ🎉"'))]
    assert not automaton.mask(range(automaton.num_states)).any(axis=1)[automaton.done]
    assert automaton.mask(range(automaton.done)).any(axis=1).all()


def test_a_tokenizer_without_an_end_or_of_another_kind_is_refused() -> None:
    backend = byte_level().backend_tokenizer
    with pytest.raises(SettingsError, match="end-of-text"):
        TokenAutomaton.compile("a", PreTrainedTokenizerFast(tokenizer_object=backend))
    pieces = Tokenizer(models.WordPiece({"a": 0, "##a": 1, "<end>": 2}, unk_token="a"))
    pieces.decoder = decoders.WordPiece()
    with pytest.raises(SettingsError, match="WordPiece"):
        TokenAutomaton.compile(
            "a", PreTrainedTokenizerFast(tokenizer_object=pieces, eos_token="<end>")
        )
