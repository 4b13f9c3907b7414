"""Templates: found, hashed, never edited, and blind to what users' texts say."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import SettingsError
from llmsynth.prompting import templates
from llmsynth.prompting.row_prompt import RowPrompt
from llmsynth.schema import CategoryColumn, NumberColumn, TableSchema, TextColumn

# A changed template is a new file with the next number, and a new line here.
PUBLISHED = {
    "rows-1": "052c72ae91160b38615f3889885192a9b655db7cf8fba5531bb58517775684a7",
    "schema-1": "f4234b44bb1b2c0d448759a1d43ca3eccf431ac24d41dd11c1aae3d2a03bca14",
}
SCHEMA = TableSchema(
    columns=(
        NumberColumn(name="age", minimum="0", maximum="99", description="Age in years."),
        CategoryColumn(name="sex", categories=("f", "m"), nullable=True),
        TextColumn(name="note"),
    )
)
PROMPT = RowPrompt(
    template=templates.template("rows-1"), language=RowLanguage(SCHEMA), instruction="Patients."
)


def test_no_published_template_was_edited() -> None:
    assert {name: templates.template(name).sha256 for name in templates.names()} == PUBLISHED


@pytest.mark.parametrize("name", ["rows-0", "nothing-1", "../pyproject-1", "rows", ""])
def test_an_unknown_name_is_refused_and_the_known_ones_are_told(name: str) -> None:
    with pytest.raises(SettingsError, match="rows-1"):
        templates.template(name)


def test_a_template_that_asks_for_what_is_not_there_is_refused() -> None:
    broken = templates.PromptTemplate(name="x-1", source="{{ nothing }}")
    with pytest.raises(SettingsError, match="nothing"):
        broken.filled(rows=[])


def test_templates_beside_the_package_come_before_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (tmp_path / "llmsynth" / "prompts", tmp_path / "prompts"):
        place.mkdir(parents=True)
        (place / "rows-1.jinja").write_text("x")
    monkeypatch.setattr(templates, "_PACKAGE", tmp_path / "llmsynth")
    assert templates.folder() == tmp_path / "llmsynth" / "prompts"


def test_the_prompt_shows_columns_and_rows_in_the_order_asked_for() -> None:
    rows = [{"age": 7, "sex": None, "note": "one\ntwo {{ 3 }}"}]
    text = PROMPT.text(rows, ["sex", "age", "note"])
    assert text == (
        "Patients.\n\nColumns:\n"
        "- sex: one of f, m; null where it is not known\n"
        "- age: Age in years; whole number from 0 to 99\n"
        "- note: text in quotes\n\n"
        "Every row is different, and each stands on a line of its own:\n\n"
        'sex=null; age=07; note="one\\ntwo {{ 3 }}"\n'
    )


def test_without_rows_the_prompt_shows_how_they_are_written() -> None:
    assert PROMPT.text([], ["age", "sex"]).endswith("\n\nage=...; sex=...\n\nRows:\n\n")
