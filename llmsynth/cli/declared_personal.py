"""What `--personal COLUMN=KIND` and `--not-personal COLUMN` declare, as one mapping."""

from __future__ import annotations

from collections.abc import Sequence

from llmsynth.errors import SettingsError
from llmsynth.schema.personal_kinds import NOT_PERSONAL, declared_kind


def declared_by(
    personal: Sequence[str] | None, not_personal: Sequence[str] | None
) -> dict[str, str]:
    """Column to kind, or to "none".

    Raises:
        SettingsError: no `=`, or a column declared both ways.
        SchemaError: a kind that is none.
    """
    out: dict[str, str] = {}
    for text in personal or ():
        name, sign, kind = text.rpartition("=")
        if not sign or not name:
            raise SettingsError(f"--personal needs COLUMN=KIND, as in customer=name; got {text!r}.")
        declared_kind(name, kind)
        out[name] = kind
    for name in not_personal or ():
        if name in out:
            raise SettingsError(f"Column {name!r} is declared personal and not personal.")
        out[name] = NOT_PERSONAL
    return out


def left_lines(left: Sequence[tuple[str, str, str]]) -> list[str]:
    """One line for the columns that look personal and were left; none where there are none."""
    told = [f"{name} ({kind}: {why})" for name, kind, why in left]
    if not told:
        return []
    return [
        f"Looks personal and was left: {'; '.join(told)}. --personal COLUMN=KIND replaces one, "
        "--not-personal COLUMN says that it is none."
    ]
