"""Which encoding the bytes of a text file are in; hands them on as UTF-8."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from llmsynth.errors import TableError

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
_HINT = "Save the file as UTF-8, or name its encoding with encoding=..."


def as_utf8(data: bytes, *, label: str, encoding: str | None = None) -> bytes:
    """The same text in UTF-8 without a byte order mark.

    Tried in order: the named encoding, a byte order mark, UTF-8, and for files without any
    UTF-8 character beyond ASCII another script that charset-normalizer recognises or
    Windows-1252.

    Raises:
        TableError: bytes that the encoding cannot hold, with their offset and line.
    """
    encoding = encoding or _marked(data) or _unmarked_utf16(data)
    if encoding is not None:
        return _decoded(data, encoding, label).encode("utf-8")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if _is_broken_utf8(data):
            raise _undecodable(data, error, label) from error
        return _decoded(data, _guess(data), label).encode("utf-8")
    return data


def line_of(data: bytes, offset: int) -> int:
    """1-based physical line that holds the byte at `offset`."""
    return 1 + len(re.findall(rb"\r\n|\r|\n", data[:offset]))


def _marked(data: bytes) -> str | None:
    return next((name for mark, name in _MARKS if data.startswith(mark)), None)


def _unmarked_utf16(data: bytes) -> str | None:
    head = data[:1000]
    half = len(head) // 2
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
