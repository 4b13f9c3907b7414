"""What engines share that leave masking to a server: its pattern, its seeds, the check of its rows.

A server is told the row language as a regular expression; what it writes is held against the
automaton, so that a server that ignores the expression is noticed at the first row.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from llmsynth.codec.byte_automaton import DEAD
from llmsynth.codec.open_text_code import ESCAPED_CHARACTER, JSON_CHARACTER, PLAIN_CHARACTER
from llmsynth.engines.engine import FinishedRow, RowRequest
from llmsynth.engines.stop_reason import StopReason
from llmsynth.errors import ConditionError

_SEED_BITS = 62
_TEXT = f"{PLAIN_CHARACTER}*(?:(?:{ESCAPED_CHARACTER}){PLAIN_CHARACTER}*)*"


def row_seed(seed: int, number: int) -> int:
    """A seed for one row: consecutive over the rows, far apart over the requests' seeds.

    torch's generators on CPUs read 32 bits of a seed, so rows numbered 2**32 apart, as those are
    that are drawn again, must differ there too.
    """
    digest = hashlib.blake2b(f"{seed}/{number >> 32}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + number) % (1 << _SEED_BITS)


def served_pattern(request: RowRequest) -> str:
    """The request's pattern as xgrammar 0.2 has to be told it.

    Its "any other character" holds surrogates, which no text has; it warns of escapes that need
    none. A bounded repetition of characters and escapes costs it 65 ms and more a token, the same
    without a bound nothing; so a text that grows too long is found out afterwards, by `closed_row`.
    Before a whole row some tokenizers put a space, which is theirs and not the row's.
    """
    pattern = re.sub(re.escape(JSON_CHARACTER) + r"\{0,\d+\}", lambda _: _TEXT, request.pattern)
    pattern = re.sub(r"\\.|\[\^", _for_xgrammar, pattern, flags=re.DOTALL)
    has_rows_from_start = not all(map(len, request.prefix_ids))
    optional_space = request.automaton.strips_leading_space and has_rows_from_start
    return f" ?(?:{pattern})" if optional_space else pattern


def _for_xgrammar(piece: re.Match[str]) -> str:
    if piece[0] == "[^":
        return r"[^\ud800-\udfff"
    return piece[0][1] if piece[0][1] in "&~#" else piece[0]


def closed_row(
    request: RowRequest, place: int, drawn: Sequence[int], reason: StopReason, *, problem: str = ""
) -> FinishedRow:
    """The row at `place` of the request, from the tokens that were drawn behind its prefix.

    A row that its engine calls whole and that is none comes back as ENGINE_FAILED.
    """
    automaton = request.automaton
    ids = [*map(int, request.prefix_ids[place]), *(i for i in drawn if i != automaton.eos_token_id)]
    if reason is StopReason.FINISHED and not is_row(request, ids):
        reason = StopReason.ENGINE_FAILED
        problem = (
            f"The engine ended {automaton.text(ids)[:200]!r}, which is no row: a text is longer "
            "than its column allows, or the engine does not know `structured_outputs` (vLLM 0.12 "
            "or newer does) or serves another tokenizer."
        )
    return FinishedRow(
        number=request.settings.first_row + place,
        token_ids=tuple(ids),
        text=automaton.text(ids),
        reason=reason,
        problem=problem,
    )


def is_row(request: RowRequest, token_ids: Sequence[int]) -> bool:
    """Whether the tokens spell a whole row."""
    automaton = request.automaton
    try:
        state = automaton.walk(token_ids)
    except ConditionError:
        return False
    return state != DEAD and bool(automaton.final[state])


def ended_for(request: RowRequest, num_drawn: int) -> StopReason:
    """Why a server that speaks of "length" stopped: the bound asked for, or its context."""
    asked = request.settings.max_new_tokens
    is_asked = asked is not None and num_drawn >= asked
    return StopReason.MAX_NEW_TOKENS if is_asked else StopReason.CONTEXT_LENGTH
