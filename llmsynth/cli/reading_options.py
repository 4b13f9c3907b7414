"""Options of every command that reads a table: what the file's bytes leave open."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, ParamSpec, get_type_hints

import typer

from llmsynth.tables.reading_settings import ReadingSettings, reading_as

_Options = ParamSpec("_Options")
_PANEL = "How the table is read"


def _option(text: str, *names: str) -> object:
    return typer.Option(*names, help=text, rich_help_panel=_PANEL)


_ADDED = {
    "encoding": Annotated[
        str | None,
        _option("Encoding of a text file; `mixed`: UTF-8 with lines of Windows-1252."),
    ],
    "delimiter": Annotated[
        str | None, _option("One character, or comma, semicolon, tab, bar, blank.")
    ],
    "no_header": Annotated[bool, _option("The first line holds cells, not names.", "--no-header")],
    "header_line": Annotated[
        int | None, _option("Line of the file, from 1, that holds the names.")
    ],
    "keep_row_numbers": Annotated[
        bool, _option("Keep a first column that only counts the rows.", "--keep-row-numbers")
    ],
    "strip_blanks": Annotated[
        bool | None,
        _option(
            "Blanks at the ends of all texts; by default taken off where they tell nothing.",
            "--strip-blanks/--keep-blanks",
        ),
    ],
    "sheet": Annotated[str | None, _option("Sheet of a workbook, by name or number from 1.")],
    "member": Annotated[str | None, _option("File to read in a zip archive.")],
    "database_table": Annotated[str | None, _option("Table to read in a database file.")],
}
_DEFAULTS: dict[str, object] = {"no_header": False, "keep_row_numbers": False}


def reads_tables(command: Callable[_Options, None]) -> Callable[..., None]:
    """The command with the options of reading, which hold for every file that it reads."""

    @functools.wraps(command)
    def run(*args: _Options.args, **options: _Options.kwargs) -> None:
        chosen = {name: options.pop(name, _DEFAULTS.get(name)) for name in _ADDED}
        no_header = chosen.pop("no_header")
        settings = ReadingSettings(has_header=False if no_header else None, **chosen)  # type: ignore[arg-type]
        with reading_as(settings):
            command(*args, **options)

    own = inspect.signature(command)
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=kind
        )
        for name, kind in _ADDED.items()
    ]
    kinds = get_type_hints(command, include_extras=True)
    held = [each.replace(annotation=kinds[name]) for name, each in own.parameters.items()]
    run.__signature__ = own.replace(parameters=[*held, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {**kinds, **_ADDED}
    return run
