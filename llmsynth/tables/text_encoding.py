"""Which encoding the bytes of a text file are in; hands them on as UTF-8."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from llmsynth.errors import TableError
from llmsynth.tables.reading_notes import ReadingNote

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 65536
# Short Western texts look alike in the Latin code pages, so a guess among those is worth little;
# a guess of another script is worth much.
_OTHER_SCRIPTS = re.compile(
    r"cp1251|cp1253|cp1255|cp1256|koi8|cp932|shift|euc|gb|big5|cp949|cp950|utf_16|utf_32|iso2022"
)
_UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_HINT = (
    "Name the file's encoding with --encoding (`mixed` reads lines that are not UTF-8 as "
    "Windows-1252), or save it as UTF-8."
)


MIXED = "mixed"
"""UTF-8, and Windows-1252 in each line that is not."""


def as_utf8(
    data: bytes, *, label: str, encoding: str | None = None
) -> tuple[bytes, tuple[ReadingNote, ...]]:
    """The same text in UTF-8 without a byte order mark, and what was decided about it.

    Tried in order: the named encoding, a byte order mark, UTF-8, and for files without any
    UTF-8 character beyond ASCII another script that charset-normalizer recognises or
    Windows-1252.

    Raises:
        TableError: bytes that the encoding cannot hold, with their offset and line.
    """
    if encoding == MIXED:
        return _from_mixed(data)
    encoding = encoding or _marked(data) or _unmarked_utf16(data)
    if encoding is not None:
        return _decoded(data, encoding, label).encode("utf-8"), ()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if _is_broken_utf8(data):
            raise _undecodable(data, error, label) from error
        guess = _guess(data)
        decoded, undefined = _leniently(data, guess, label)
        line = line_of(data, error.start)
        note = ReadingNote(
            code="encoding",
            text=f"The file is not UTF-8 (line {line}) and was read as {guess}.",
            change="Name another with --encoding.",
            line=line,
        )
        return decoded.encode("utf-8"), (note, *undefined)
    return data, ()


def _leniently(data: bytes, encoding: str, label: str) -> tuple[str, tuple[ReadingNote, ...]]:
    """The text; bytes that Windows-1252 does not define as the control characters of their number.

    Browsers read them so, too; they come from texts that went through several encodings.
    """
    if encoding != "cp1252" or not (found := _UNDEFINED.search(data)):
        return _decoded(data, encoding, label), ()
    line = line_of(data, found.start())
    count = len(_UNDEFINED.findall(data))
    note = ReadingNote(
        code="undefined_bytes",
        text=f"{count:,} bytes, first 0x{found[0][0]:02x} in line {line}, are no characters of "
        "Windows-1252 and were read as control characters.",
        change="Name the encoding with --encoding, or mend the file.",
        line=line,
        count=count,
    )
    parts = re.split(rb"([\x81\x8d\x8f\x90\x9d])", data)
    text = "".join(part.decode("latin-1" if at % 2 else "cp1252") for at, part in enumerate(parts))
    return text, (note,)


def _from_mixed(data: bytes) -> tuple[bytes, tuple[ReadingNote, ...]]:
    lines = data.removeprefix(codecs.BOM_UTF8).splitlines(keepends=True)
    foreign = []
    for number, line in enumerate(lines):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            foreign.append(number + 1)
            lines[number] = _leniently(line, "cp1252", "")[0].encode("utf-8")
    if not foreign:
        return b"".join(lines), ()
    note = ReadingNote(
        code="mixed_encodings",
        text=f"{len(foreign):,} lines, first line {foreign[0]}, are not UTF-8 and were read as "
        "Windows-1252.",
        line=foreign[0],
        count=len(foreign),
    )
    return b"".join(lines), (note,)


def line_of(data: bytes, offset: int) -> int:
    """1-based physical line that holds the byte at `offset`."""
    return 1 + len(re.findall(rb"\r\n|\r|\n", data[:offset]))


def _marked(data: bytes) -> str | None:
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


_FEWEST_UTF16 = 16


def _unmarked_utf16(data: bytes) -> str | None:
    head = data[:1000]
    # An odd byte is left of no such file; in a few bytes a stray NUL proves nothing.
    half = len(head) // 2 if len(data) % 2 == 0 and len(data) >= _FEWEST_UTF16 else 0
    if half and head[1::2].count(0) > 0.6 * half and not head[0::2].count(0):
        return "utf-16-le"
    if half and head[0::2].count(0) > 0.6 * half and not head[1::2].count(0):
        return "utf-16-be"
    return None


def _is_broken_utf8(data: bytes) -> bool:
    text = data.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    return len(re.findall(r"[^\x00-\x7f\ufffd]", text)) >= bad


def _guess(data: bytes) -> str:
    lines = (line for line in data.splitlines(keepends=True) if not line.isascii())
    best = from_bytes(b"".join(lines)[:_SAMPLE_BYTES]).best()
    if best is not None and _OTHER_SCRIPTS.match(best.encoding):
        return best.encoding
    return "cp1252"


def _decoded(data: bytes, encoding: str, label: str) -> str:
    try:
        text = data.decode(encoding)
        text.encode("utf-8")
    except UnicodeDecodeError as error:
        raise _undecodable(data, error, label) from error
    except (LookupError, UnicodeError) as error:
        raise TableError(
            f"{label}: cannot be read as {encoding!r}: {error}.", hint=_HINT
        ) from error
    return text


def _undecodable(data: bytes, error: UnicodeDecodeError, label: str) -> TableError:
    found = " ".join(f"0x{byte:02x}" for byte in data[error.start : error.start + 4])
    return TableError(
        f"{label}, line {line_of(data, error.start)}: the bytes {found} at offset {error.start} "
        f"are not {error.encoding} text.",
        hint=_HINT,
    )
