"""How many tokens a row can have: from its language, and from the room a model's context leaves."""

from __future__ import annotations

import numpy as np

from llmsynth.codec.byte_automaton import DEAD
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.engine import RowRequest
from llmsynth.errors import SettingsError


def most_new_tokens(request: RowRequest, context_length: int) -> int:
    """Most tokens to draw for one row: what was asked for, what the language needs, what fits.

    Raises:
        SettingsError: prompt and prefix alone do not fit the context.
    """
    read = len(request.prompt_ids) + max(map(len, request.prefix_ids))
    room = context_length - read
    if room < 1:
        raise SettingsError(
            f"Expected prompt and prefix to fit the model's {context_length} positions, "
            f"got {read} tokens.",
            hint="Shorten the prompt, or use a model with a longer context.",
        )
    wanted = request.settings.max_new_tokens or longest_row(request.automaton)
    return room if wanted is None else min(room, wanted)


def longest_row(automaton: TokenAutomaton) -> int | None:
    """Most tokens a row can have, its end included: one a byte; None where rows have no bound."""
    targets = [np.unique(row[row != DEAD]) for row in automaton.moves]
    waiting = np.bincount(np.concatenate(targets), minlength=automaton.num_states)
    depths = np.zeros(automaton.num_states, dtype=np.int64)
    queue = np.flatnonzero(waiting == 0).tolist()
    for state in queue:
        for target in targets[state].tolist():
            depths[target] = max(depths[target], depths[state] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                queue.append(target)
    return None if waiting.any() else int(depths.max()) + 1
