"""How a name or a text value is spelled inside a row, and read back without ambiguity.

A text stands bare when nothing in it could be taken for the row's own punctuation; otherwise it is
a JSON string. `null` stands for a missing cell, so the text "null" itself is always quoted.
"""

from __future__ import annotations

import json
import re

from llmsynth.errors import SchemaError

MISSING = "null"
PAIR_END = "; "
ROW_END = "\n"

_BARE = re.compile(
    r"[^\s\"\\;\x00-\x1f\x7f](?:[^\"\\;\x00-\x1f\x7f-\xa0\u2028\u2029\x85]*[^\s\"\\;\x00-\x1f\x7f])?"
)
_DECODER = json.JSONDecoder()


def spell(text: str) -> str:
    """The text as it stands in a row: bare where safe, else a JSON string."""
    if text != MISSING and _BARE.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def spell_name(name: str) -> str:
    """A column name as it stands before its "=": quoted where it holds one itself."""
    return json.dumps(name, ensure_ascii=False) if "=" in name else spell(name)


def read(row: str, start: int) -> tuple[str, bool, int]:
    """Read the spelling that begins at `start`.

    Returns:
        The text, whether it was quoted, and the position after it.

    Raises:
        SchemaError: a quoted text that does not end.
    """
    if row.startswith('"', start):
        try:
            text, end = _DECODER.raw_decode(row, start)
        except json.JSONDecodeError as error:
            raise SchemaError(
                f"A quoted text at character {start} does not end: {error.msg}."
            ) from error
        return str(text), True, end
    end = start
    while end < len(row) and row[end] not in ";=\n":
        end += 1
    return row[start:end], False, end


def escape(text: str) -> str:
    """The text as a regular expression that matches only it, in the common dialect."""
    return "".join("\\" + c if c in r"\.^$|?*+()[]{}-/#&~" else _escape_control(c) for c in text)


def _escape_control(character: str) -> str:
    return {"\n": r"\n", "\t": r"\t", "\r": r"\r"}.get(character, character)
