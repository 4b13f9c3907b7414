"""Rules between columns, a line each, as a person writes them.

`start <= end`, `net + tax = total`, `city, zip fixed`, `end missing when state = open`; a name with
one of these signs in it goes between double quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from llmsynth_serving.objects.refusals import RefusedInputError

Rule = dict[str, Any]
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PLAIN = re.compile(r"[^\"\\<>=+,\s]+(?: [^\"\\<>=+,\s]+)*")
_HINT = (
    "Write `start <= end`, `net + tax = total`, `city, zip fixed`, or "
    "`end missing when state = open`."
)


def read_rules(lines: Sequence[str]) -> list[Rule]:
    """Lines as constraints in a schema's JSON.

    Raises:
        RefusedInputError: a line that is no rule.
    """
    return [_read(line) for line in lines]


def written(rule: Rule) -> str:
    """A constraint of a schema's JSON as a line."""
    if rule["kind"] == "inequality":
        sign = "<" if rule.get("strict") else "<="
        return f"{_name(rule['low'])} {sign} {_name(rule['high'])}"
    if rule["kind"] == "sum":
        return f"{' + '.join(map(_name, rule['parts']))} = {_name(rule['total'])}"
    if rule["kind"] == "fixed_combinations":
        return f"{', '.join(map(_name, rule['columns']))} fixed"
    when = f"{_name(rule['when'])} = {_name(rule['equals'])}"
    return f"{_name(rule['column'])} missing when {when}"


def _read(line: str) -> Rule:
    # Quoted names stand aside, so that a sign in one is no sign of the rule.
    names: list[str] = []

    def aside(found: re.Match[str]) -> str:
        names.append(re.sub(r"\\(.)", r"\1", found[1]))
        return f"\0{len(names) - 1}\0"

    bare = _QUOTED.sub(aside, line.strip())

    def name(part: str) -> str:
        part = part.strip()
        if mark := re.fullmatch("\0(\\d+)\0", part):
            return names[int(mark[1])]
        if not part or "\0" in part:
            raise RefusedInputError(f"This is no rule: {line}", hint=_HINT)
        return part

    if found := re.fullmatch(r"(.+?)\s+missing when\s+(.+?)\s*=\s*(.+)", bare):
        column, when, equals = map(name, found.groups())
        return {"kind": "missing_exactly_when", "column": column, "when": when, "equals": equals}
    if found := re.fullmatch(r"(.+?)\s+fixed", bare):
        return {"kind": "fixed_combinations", "columns": [name(p) for p in found[1].split(",")]}
    if found := re.fullmatch(r"([^<>=]+)(<=|<|>=|>)([^<>=]+)", bare):
        low, high = (found[1], found[3]) if found[2][0] == "<" else (found[3], found[1])
        strict = len(found[2]) == 1
        return {"kind": "inequality", "low": name(low), "high": name(high), "strict": strict}
    if found := re.fullmatch(r"([^=]+)=([^=]+)", bare):
        parts = [name(part) for part in found[1].split("+")]
        return {"kind": "sum", "parts": parts, "total": name(found[2])}
    raise RefusedInputError(f"This is no rule: {line}", hint=_HINT)


def _name(name: str) -> str:
    is_plain = _PLAIN.fullmatch(name) and not re.search(r"\b(fixed|missing when)\b", name)
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return name if is_plain else f'"{escaped}"'
