"""How a CSV file becomes a table of texts, without guessing at types or dropping a row."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.csv

from llmsynth.errors import TableError
from llmsynth.tables.csv_records import (
    check_quotes,
    ragged_fault,
    records,
    sniff_delimiter,
)
from llmsynth.tables.text_encoding import as_utf8, line_of

_LARGEST_BLOCK = 2**30


def parse_csv(
    data: bytes, *, label: str, encoding: str | None = None, delimiter: bytes | None = None
) -> pa.Table:
    """Read CSV bytes into string columns; an unquoted empty cell is null, `""` is not.

    The first line that is not blank is the header. Blank lines are no rows, except in a table
    of one column, where each is a missing cell.

    Args:
        delimiter: told from the first records when omitted.

    Raises:
        TableError: any fault of encoding, quotes, header or row lengths, with its line.
    """
    data = as_utf8(data, label=label, encoding=encoding)
    delimiter = delimiter or sniff_delimiter(data, label=label)
    header = next((r for r in records(data, delimiter, label=label) if not r.is_blank), None)
    if header is None:
        raise TableError(f"{label}: the file is empty.", hint="Give a header and rows.")
    names = header.texts()
    _check_header(names, label=label, line=line_of(data, header.start))
    check_quotes(data, delimiter, label=label)
    data = data[header.start :] if header.start else data
    body = header.end - header.start
    if not data[body:].strip(b"\r\n") and (len(names) > 1 or body == len(data)):
        raise TableError(
            f"{label}: the header names {len(names)} columns, but no row follows.",
            hint="Give at least one row.",
        )
    return _parse_body(data, body, delimiter, names, label=label)


def _check_header(names: list[str], *, label: str, line: int) -> None:
    for position, name in enumerate(names, start=1):
        if not name:
            raise TableError(
                f"{label}, line {line}: column {position} of {len(names)} has no name.",
                hint="Name it in the header; pandas leaves out its row numbers with index=False.",
            )
        if name in names[: position - 1]:
            raise TableError(
                f"{label}, line {line}: columns {names.index(name) + 1} and {position} are both "
                f"named {name!r}.",
                hint="Give every column a name of its own.",
            )


def _parse_body(
    data: bytes, body: int, delimiter: bytes, names: list[str], *, label: str
) -> pa.Table:
    try:
        return pyarrow.csv.read_csv(
            pa.py_buffer(memoryview(data)[body:]),
            read_options=pyarrow.csv.ReadOptions(
                column_names=names,
                # One block: a quoted cell may hold any number of line breaks.
                block_size=min(max(len(data), 1), _LARGEST_BLOCK),
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter.decode(),
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowException as error:
        fault = ragged_fault(data, delimiter, names, label=label)
        reason = str(error).splitlines()[0]
        raise fault or TableError(f"{label}: not a CSV file: {reason}.") from error
