"""Compressed files and archives, told by their first bytes, become the bytes of one file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, cast

import pyarrow as pa

from llmsynth.errors import TableError
from llmsynth.tables.reading_settings import ReadingSettings

_MOST_LAYERS = 4
_OPENERS: tuple[tuple[bytes, str, Callable[[IO[bytes]], object]], ...] = (
    (b"\x1f\x8b", "gzip", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", "bzip2", bz2.BZ2File),
    (b"\xfd7zXZ\0", "xz", lzma.LZMAFile),
    (b"\x28\xb5\x2f\xfd", "zstd", lambda file: pa.CompressedInputStream(file, "zstd")),
)
_ZIP = b"PK\x03\x04"
_OFFICE = ("[Content_Types].xml", "content.xml")
_FAULTS = (
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    pa.ArrowException,
)


def unpacked(data: bytes, settings: ReadingSettings, *, label: str) -> tuple[bytes, str]:
    """The bytes of the one file within, and its name; `data` itself where nothing is packed.

    Raises:
        TableError: damaged, larger than the settings allow, or an archive of several files none of
            which is named.
    """
    for _ in range(_MOST_LAYERS):
        kind = _kind(data)
        if kind is None:
            return data, label
        try:
            data, label = _opened(data, kind, settings, label)
        except TableError:
            raise
        except _FAULTS as error:
            reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            raise TableError(
                f"{label}: the {kind} file is damaged or cut short: {reason}.",
                hint="Fetch or write it again.",
            ) from error
    raise TableError(
        f"{label}: more than {_MOST_LAYERS} layers of compression.", hint="Unpack the file."
    )


def is_workbook(data: bytes) -> bool:
    """Whether a zip file is a workbook of Excel or LibreOffice."""
    if not data.startswith(_ZIP):
        return False
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return False
    return any(name in names for name in _OFFICE)


def _kind(data: bytes) -> str | None:
    for mark, kind, _ in _OPENERS:
        if data.startswith(mark):
            return kind
    if data.startswith(_ZIP) and not is_workbook(data):
        return "ZIP"
    return "tar" if data[257:262] == b"ustar" else None


def _opened(data: bytes, kind: str, settings: ReadingSettings, label: str) -> tuple[bytes, str]:
    if kind == "ZIP":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = _member(
                [i.filename for i in archive.infolist() if not i.is_dir()], settings, label
            )
            with archive.open(name) as file:
                return _bytes_of(file, settings, label), f"{label}/{name}"
    if kind == "tar":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            name = _member([i.name for i in tar.getmembers() if i.isfile()], settings, label)
            inner = tar.extractfile(name)
            if inner is None:
                raise TableError(f"{label}: {name!r} is no file.", hint="Unpack the archive.")
            return _bytes_of(inner, settings, label), f"{label}/{name}"
    opener = next(opener for _, name, opener in _OPENERS if name == kind)
    # Each of them reads and closes as a file does.
    with cast(IO[bytes], opener(io.BytesIO(data))) as file:
        return _bytes_of(file, settings, label), label


def _member(names: list[str], settings: ReadingSettings, label: str) -> str:
    told = [
        name
        for name in names
        if not name.startswith("__MACOSX/") and not name.rpartition("/")[2].startswith(".")
    ]
    if settings.member is not None:
        found = [n for n in names if settings.member in (n, n.rpartition("/")[2])]
        if len(found) == 1:
            return found[0]
        raise TableError(
            f"{label}: the archive has no single file {settings.member!r}.",
            hint=f"It holds {_some(told)}.",
        )
    if len(told) == 1:
        return told[0]
    if not told:
        raise TableError(f"{label}: the archive holds no file.", hint="Give another file.")
    raise TableError(
        f"{label}: the archive holds {len(told):,} files: {_some(told)}.",
        hint="Name one with --member.",
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(map(repr, names[:10])) + more


def _bytes_of(file: IO[bytes], settings: ReadingSettings, label: str) -> bytes:
    if settings.max_bytes is None:
        return bytes(file.read())
    data = bytes(file.read(settings.max_bytes + 1))
    if len(data) > settings.max_bytes:
        raise TableError(
            f"{label}: unpacked, the file is larger than the {settings.max_bytes} bytes allowed.",
            hint="Give a smaller file.",
        )
    return data
