"""What a template finds where nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2 import ChainableUndefined
from jinja2.utils import missing


class Absent(ChainableUndefined):
    """A field that a document lacks is empty; a name that no handler gave is an error."""

    def _refuse_names(self) -> None:
        if self._undefined_obj is missing:
            self._fail_with_undefined_error()

    def __str__(self) -> str:
        self._refuse_names()
        return ""

    def __iter__(self) -> Iterator[Any]:
        self._refuse_names()
        return iter(())

    def __bool__(self) -> bool:
        self._refuse_names()
        return False
