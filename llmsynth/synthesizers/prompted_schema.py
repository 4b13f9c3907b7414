"""A schema proposed by a language model from one sentence, column by column, as a draft."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from llmsynth.codec.cell_text import escape
from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.row_tokens import RowTokens
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.engine import FinishedRow, RowRequest, SamplingSettings
from llmsynth.errors import SamplingError, SettingsError
from llmsynth.prompting.templates import template
from llmsynth.schema.columns import BooleanColumn, Column, column_from_json
from llmsynth.schema.table_schema import TableSchema

if TYPE_CHECKING:
    from llmsynth.codec.row_tokens import EncodingTokenizer
    from llmsynth.engines.engine import RowEngine

TEMPLATE = "schema-1"
_FEWEST_COLUMNS, _TRIES = 2, 4
_MOST_TOKENS = 160


def _joined(*parts: tuple[str, str]) -> str:
    """JSON pairs as a regular expression; values are expressions already."""
    return ", ".join(f'"{name}": {value}' for name, value in parts)


_NAME = '"[a-z][a-z0-9_]{1,30}"'
_WORDS = '"[A-Za-z][A-Za-z0-9 ,()]{2,70}"'
_NUMBER = r'"-?(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{1,2})?"'
_DAY = '"(?:19|20)[0-9][0-9]-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"'
_CATEGORY = r'"[A-Za-z0-9][A-Za-z0-9 _]{0,23}"'
_KINDS = "|".join(
    (
        _joined(("kind", '"number"'), ("minimum", _NUMBER), ("maximum", _NUMBER)),
        _joined(
            ("kind", '"category"'), ("categories", rf"\[{_CATEGORY}(?:, {_CATEGORY}){{1,7}}\]")
        ),
        _joined(("kind", '"date"'), ("minimum", _DAY), ("maximum", _DAY)),
        *(_joined(("kind", f'"{kind}"')) for kind in ("boolean", "text", "identifier")),
    )
)
COLUMN = r"\{" + _joined(("name", _NAME), ("description", _WORDS)) + f", (?:{_KINDS})" + r"\}"
"""A regular expression of one line of JSON that `column_from_json` nearly takes."""


def propose_schema(
    description: str,
    *,
    model: str = "smollm2-135m",
    engine: RowEngine | None = None,
    most_columns: int = 12,
    temperature: float = 0.7,
    seed: int = 0,
) -> TableSchema:
    """Ask a model for the columns of a table that one sentence describes.

    Each column is one line of JSON that a grammar keeps in shape; bounds in the wrong order are
    swapped, a repeated category is dropped, and a column whose name is there already is asked for
    again. What comes is well-formed, not sensible: it is for a person to correct.

    Raises:
        SettingsError: no description, or fewer than two columns.
        SamplingError: no column came about.
        ModelError, EngineError: the model is not there, or cannot be run.
    """
    if not description.strip() or most_columns < _FEWEST_COLUMNS:
        raise SettingsError(
            f"Expected a description and at least {_FEWEST_COLUMNS} columns, got "
            f"{description!r} and {most_columns}."
        )
    # Reaches transformers, which takes seconds to load.
    from llmsynth.synthesizers.prompted_engine import local_engine, tokenizer_of

    if engine is None:
        loaded = local_engine(model, 1)
        engine, tokenizer = loaded.guarded(None), loaded.tokenizer
    else:
        tokenizer = tokenizer_of(model)
    drawing = _Drawing(engine, tokenizer, description.strip(), temperature, seed)
    columns: list[Column] = []
    lines: list[str] = []
    for number in range(most_columns):
        line = drawing.line(lines, may_end=number >= _FEWEST_COLUMNS)
        if line is None:
            break
        lines.append(line)
        columns.append(_column(json.loads(line)))
    if not columns:
        raise SamplingError("No column came about.", hint="Try another seed or model.")
    return TableSchema(columns=tuple(columns))


class _Drawing:
    """Lines of one proposal."""

    def __init__(
        self,
        engine: RowEngine,
        tokenizer: EncodingTokenizer,
        description: str,
        temperature: float,
        seed: int,
    ) -> None:
        self._engine, self._description = engine, description
        self._temperature, self._seed, self._drawn = temperature, seed, 0
        # Only to encode the prompt: the lines are not rows of a table.
        some = TableSchema(columns=(BooleanColumn(name="x"),))
        self._tokens = RowTokens(RowLanguage(some), tokenizer)
        end = escape("\n")
        self._patterns = {False: COLUMN + end, True: f"(?:{COLUMN})?{end}"}
        self._automata = {
            may_end: TokenAutomaton.compile(pattern, tokenizer)
            for may_end, pattern in self._patterns.items()
        }

    def line(self, before: list[str], *, may_end: bool) -> str | None:
        """One more column behind those before; None where the model ends or keeps repeating."""
        names = {json.loads(line)["name"] for line in before}
        for _ in range(_TRIES):
            text = self._asked(before, may_end=may_end)
            if text == "":
                return None
            if text is not None and json.loads(text)["name"] not in names:
                return text
        return None

    def _asked(self, before: list[str], *, may_end: bool) -> str | None:
        prompt = template(TEMPLATE).filled(description=self._description, columns=before)
        request = RowRequest(
            automaton=self._automata[may_end],
            pattern=self._patterns[may_end],
            prefix_ids=[[]],
            prompt_ids=[*self._tokens.prompt_ids, *self._tokens.read_only(prompt)],
            settings=SamplingSettings(
                seed=self._seed,
                temperature=self._temperature,
                max_new_tokens=_MOST_TOKENS,
                first_row=self._drawn,
            ),
        )
        self._drawn += 1
        rows: list[FinishedRow] = list(self._engine.rows(request))
        return rows[0].text.rstrip("\n") if rows and rows[0].is_whole else None


def _column(told: Mapping[str, object]) -> Column:
    values = dict(told)
    if values["kind"] in ("number", "date"):
        bounds = [str(values["minimum"]), str(values["maximum"])]
        key = Decimal if values["kind"] == "number" else str
        values["minimum"], values["maximum"] = sorted(bounds, key=key)
    if values["kind"] == "number":
        values["scale"] = max(_decimals(bound) for bound in bounds)
        values["storage"] = "double" if values["scale"] else "int64"
    categories = values.get("categories")
    if isinstance(categories, list):
        values["categories"] = list(dict.fromkeys(categories))
    return column_from_json(values)


def _decimals(number: str) -> int:
    return len(number.partition(".")[2])
