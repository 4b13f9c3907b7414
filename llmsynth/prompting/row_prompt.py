"""One prompt: a template filled with a table's columns and some of its example rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmsynth.codec.row_language import RowLanguage
from llmsynth.prompting.column_lines import column_line
from llmsynth.prompting.templates import PromptTemplate

Row = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class RowPrompt:
    """What all prompts of a run share."""

    template: PromptTemplate
    language: RowLanguage
    instruction: str

    def text(self, rows: Sequence[Row], order: Sequence[str]) -> str:
        """The prompt with these example rows, its columns and theirs in `order`.

        Raises:
            SchemaError: an example that the schema cannot hold.
        """
        schema = self.language.schema
        return self.template.filled(
            instruction=self.instruction.strip(),
            columns=[column_line(schema.column(name)) for name in order],
            rows=[self.language.serialize(row, order).rstrip("\n") for row in rows],
            layout="; ".join(f"{name}=..." for name in order),
        )
