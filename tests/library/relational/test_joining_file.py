"""The file that joins bundles comes back as written, and a broken one is told as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmsynth.errors import BundleError
from llmsynth.relational.joining_file import GROUPS, RELATED


def test_what_is_written_is_read(tmp_path: Path) -> None:
    GROUPS.write(tmp_path, {"group_by": "patiënt"})
    with GROUPS.reading(tmp_path) as data:
        assert data == {"format": "llmsynth-groups-1", "group_by": "patiënt"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "llmsynth-groups-1"}'])
def test_a_broken_file_names_itself_and_the_command_that_writes_it(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "groups.json").write_text(text, encoding="utf-8")
    with (
        pytest.raises(BundleError, match=r"groups\.json cannot be read") as caught,
        GROUPS.reading(tmp_path) as data,
    ):
        data["group_by"]
    assert "fit --group-by" in str(caught.value.hint)


def test_another_format_is_told(tmp_path: Path) -> None:
    (tmp_path / "related.json").write_text('{"format": "other-9"}', encoding="utf-8")
    with (
        pytest.raises(BundleError, match="expected format 'llmsynth-related-1', got 'other-9'"),
        RELATED.reading(tmp_path),
    ):
        pass
