"""Prompt templates: files whose names carry a version, found in a checkout and in a wheel alike."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2

from llmsynth.errors import SettingsError

_PACKAGE = Path(__file__).parents[1]
_NAME = re.compile(r"[a-z][a-z-]*-[1-9][0-9]*")


@dataclass(frozen=True, kw_only=True)
class PromptTemplate:
    """One template.

    Attributes:
        name: without its ending, such as `rows-1`.
        source: as the file has it.
    """

    name: str
    source: str

    @property
    def sha256(self) -> str:
        """Hash of the source, for the record."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    def filled(self, **context: object) -> str:
        """The prompt.

        Raises:
            SettingsError: the template asks for something that is not in the context.
        """
        try:
            return _ENVIRONMENT.from_string(self.source).render(**context)
        except jinja2.UndefinedError as error:
            raise SettingsError(f"The prompt template {self.name!r}: {error}.") from error


def template(name: str) -> PromptTemplate:
    """The template of this name.

    Raises:
        SettingsError: there is none.
    """
    path = folder() / f"{name}.jinja"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise SettingsError(
            f"There is no prompt template {name!r}.", hint=f"There are {', '.join(names())}."
        )
    return PromptTemplate(name=name, source=path.read_text(encoding="utf-8"))


def names() -> list[str]:
    """Names of all templates, sorted."""
    return sorted(path.stem for path in folder().glob("*.jinja"))


def folder() -> Path:
    """Where the templates are: beside the package's modules in a wheel, else in the checkout.

    Raises:
        SettingsError: in neither.
    """
    for place in (_PACKAGE / "prompts", _PACKAGE.parent / "prompts"):
        if any(place.glob("*.jinja")):
            return place
    raise SettingsError(
        "The prompt templates are not installed with this package.", hint="Install it again."
    )


# The templates are this project's own; what users write goes in as values, never as source.
_ENVIRONMENT = jinja2.Environment(
    undefined=jinja2.StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
