"""The JSON file that says how the bundles of one synthesizer belong together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmsynth.errors import BundleError


@dataclass(frozen=True, kw_only=True)
class JoiningFile:
    """One kind of such a file; a folder of bundles holds one."""

    name: str
    format: str
    command: str
    """The command that writes it."""

    def write(self, folder: Path, data: Mapping[str, object]) -> None:
        """Write it beside the bundles."""
        text = json.dumps({"format": self.format, **data}, indent=2, ensure_ascii=False)
        (folder / self.name).write_text(text + "\n", encoding="utf-8")

    @contextmanager
    def reading(self, folder: Path) -> Iterator[dict[str, Any]]:
        """What it holds, to be taken apart in the block: what is missing there is told as such.

        Raises:
            BundleError: the folder holds none, or a broken one.
        """
        path = folder / self.name
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != self.format:
                raise BundleError(
                    f"{path}: expected format {self.format!r}, got {data['format']!r}."
                )
            yield data
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(
                f"{path} cannot be read: {error}.",
                hint=f"Give the folder that `llmsynth {self.command}` wrote.",
            ) from error


GROUPS = JoiningFile(name="groups.json", format="llmsynth-groups-1", command="fit --group-by")
RELATED = JoiningFile(name="related.json", format="llmsynth-related-1", command="fit-related")
