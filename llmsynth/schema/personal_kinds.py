"""Kinds of personal data that a column can be declared to hold."""

from __future__ import annotations

from typing import Literal, get_args

from llmsynth.errors import SchemaError

Kind = Literal[
    "name",
    "email",
    "phone",
    "address",
    "id",
    "national id",
    "iban",
    "credit card",
    "social security",
    "ip",
    "mac",
    "plate",
    "user name",
    "url",
    "birth date",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
NOT_PERSONAL = "none"
"""What a column is declared as that holds no personal data, whatever it looks like."""


def declared_kind(name: str, kind: str) -> Kind | None:
    """A kind as somebody spelled it ("credit_card"); None for "none".

    Raises:
        SchemaError: it is no kind.
    """
    plain = " ".join(kind.lower().replace("_", " ").replace("-", " ").split())
    if plain == NOT_PERSONAL:
        return None
    for own in KINDS:
        if own == plain:
            return own
    raise SchemaError(
        f"Column {name!r}: personal must be one of {', '.join(KINDS)} or {NOT_PERSONAL}, "
        f"got {kind!r}."
    )
