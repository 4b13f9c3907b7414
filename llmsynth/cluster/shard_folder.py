"""A folder or bucket of files, each of which is there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import fsspec

from llmsynth.errors import MissingExtraError, SettingsError, TableError

_UNFINISHED = ".unfinished-"
_PIECE = 1 << 20


class ShardFolder:
    """Files under one fsspec address: a local path, `s3://bucket/prefix`, `gs://...`.

    Raises:
        SettingsError: no such kind of address.
        MissingExtraError: the package that reaches it is not installed.
    """

    def __init__(self, address: str | os.PathLike[str]) -> None:
        self.address = os.fspath(address)
        try:
            self._files, root = fsspec.core.url_to_fs(self.address)
        except ValueError as error:
            raise SettingsError(f"{self.address}: no such kind of address: {error}.") from error
        except ImportError as error:
            raise MissingExtraError(f"{self.address} cannot be reached: {error}.") from error
        self._root = str(root).rstrip("/")
        protocol = self._files.protocol
        self.is_local = "file" in (protocol if isinstance(protocol, tuple) else (protocol,))

    def make(self) -> None:
        """Make a local folder, where there is none yet.

        Raises:
            TableError: a file is in the way, or the folder cannot be made.
        """
        if self.is_local:
            try:
                Path(self._root).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise TableError(f"{self.address}: {error.strerror}; expected a folder.") from error

    def names(self) -> list[str]:
        """Files that lie here, unfinished ones left out."""
        if not self._files.isdir(self._root):
            return []
        found = self._files.find(self._root, maxdepth=1)
        names = [str(path).rstrip("/").rsplit("/", 1)[-1] for path in found]
        return sorted(name for name in names if _UNFINISHED not in name)

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none."""
        try:
            self._files.invalidate_cache()
            return int(self._files.size(self._at(name)))
        except FileNotFoundError:
            return None

    def open(self, name: str) -> IO[bytes]:
        """A file to read, seekable."""
        file: IO[bytes] = self._files.open(self._at(name), "rb")
        return file

    def sha256(self, name: str) -> str:
        """Hash of a file's bytes."""
        digest = hashlib.sha256()
        with self.open(name) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        return digest.hexdigest()

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A local path to write to; the file appears under its name when the block ends well."""
        if self.is_local:
            # The dot keeps readers of the whole folder away from it.
            path = Path(self._root, f".{name}{_UNFINISHED}{uuid.uuid4().hex}")
            try:
                yield path
                path.replace(self._at(name))
            finally:
                path.unlink(missing_ok=True)
            return
        with tempfile.TemporaryDirectory(prefix="llmsynth-") as scratch:
            path = Path(scratch, name)
            yield path
            # An object store shows a file only when its upload is complete.
            self._files.put_file(str(path), self._at(name))

    def remove_unfinished(self) -> None:
        """Remove what lost workers left half written; only when nobody writes any more."""
        if self.is_local:
            for path in Path(self._root).glob(f".*{_UNFINISHED}*"):
                path.unlink(missing_ok=True)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"
