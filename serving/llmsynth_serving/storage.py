"""Files of the service under one fsspec address: a folder by default, a bucket when given."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

import fsspec
from fsspec.spec import AbstractBufferedFile

from llmsynth.bundle.owner import SUFFIX
from llmsynth.errors import InputError

UNFINISHED = ".unfinished"


class Storage:
    """Files by relative path; a file is either whole or not there.

    Args:
        url: fsspec address, e.g. `file:///srv/llmsynth` or `s3://bucket/prefix`.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._files, root = fsspec.core.url_to_fs(url)
        self._root = str(root).rstrip("/")
        protocol = self._files.protocol
        self.is_local = "file" in (protocol if isinstance(protocol, tuple) else (protocol,))
        if self.is_local:
            Path(self._root).mkdir(parents=True, exist_ok=True, mode=0o700)

    def put_folder(self, source: Path, path: str) -> int:
        """Copy a local folder's files to `path`, whole or not at all; returns bytes."""
        files = [file for file in source.rglob("*") if file.is_file()]
        if not self.is_local:
            for file in files:
                self._files.put_file(str(file), self._at(f"{path}/{file.relative_to(source)}"))
        else:
            hidden = Path(self._at(path) + UNFINISHED + uuid.uuid4().hex)
            hidden.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, hidden)
            hidden.replace(self._at(path))
        return sum(file.stat().st_size for file in files)

    @contextlib.contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """A file to write; it appears at `path` when the block ends without an error."""
        target = self._at(path)
        # An object store shows a file only when its upload is complete; a folder needs a rename.
        name = target + UNFINISHED + uuid.uuid4().hex if self.is_local else target
        if self.is_local:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
        file = self._files.open(name, "wb")
        try:
            yield file
        except BaseException:
            if self.is_local:
                file.close()
                Path(name).unlink(missing_ok=True)
            else:
                file.discard()
                if isinstance(file, AbstractBufferedFile):
                    file.closed = True  # or its end would be an upload of what is not there
            raise
        file.close()
        if self.is_local:
            Path(name).replace(target)

    def open(self, path: str) -> IO[bytes]:
        """A file to read, seekable.

        Raises:
            FileNotFoundError: there is none.
        """
        file: IO[bytes] = self._files.open(self._at(path), "rb")
        return file

    def address(self, path: str) -> str:
        """Where a file or folder is, for a library that writes to fsspec addresses by itself."""
        return self._url + self._at(path)[len(self._root) :]

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return int(self._files.size(self._at(path)))

    def modified(self, path: str) -> float:
        """When a file or folder was last written, in seconds since 1970."""
        return float(self._files.modified(self._at(path)).timestamp())

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        return bool(self._files.exists(self._at(path)))

    def names(self, path: str) -> list[str]:
        """What lies in a folder, without what is being written; empty where there is none."""
        if not self._files.isdir(self._at(path)):
            return []
        found = (
            str(entry).rstrip("/").rpartition("/")[2]
            for entry in self._files.ls(self._at(path), detail=False)
        )
        return sorted(name for name in found if UNFINISHED not in name)

    @contextlib.contextmanager
    def local_copy(self, path: str, scratch: Path) -> Iterator[Path]:
        """A file or folder as a local path, for libraries that want one; read only."""
        if self.is_local:
            yield Path(self._at(path))
            return
        copy = scratch / uuid.uuid4().hex
        copy.parent.mkdir(parents=True, exist_ok=True)
        self._files.get(self._at(path), str(copy), recursive=self._files.isdir(self._at(path)))
        try:
            yield copy
        finally:
            shutil.rmtree(copy) if copy.is_dir() else copy.unlink(missing_ok=True)

    @contextlib.contextmanager
    def local_bundle(self, path: str, scratch: Path) -> Iterator[Path]:
        """A synthesizer's folder as a local path, with its owner's folder beside it; read only."""
        if self.is_local:
            yield Path(self._at(path))
            return
        place = scratch / uuid.uuid4().hex
        place.mkdir(parents=True, mode=0o700)
        try:
            for name in ("", SUFFIX):
                if self.exists(path + name):
                    copy = str(place / "bundle") + name
                    self._files.get(self._at(path + name), copy, recursive=True)
            yield place / "bundle"
        finally:
            shutil.rmtree(place)

    def delete(self, path: str) -> list[str]:
        """Remove a file or folder; returns the relative paths of the files that were removed."""
        target = self._at(path)
        if not self._files.exists(target):
            return []
        found = self._files.find(target)
        self._files.rm(target, recursive=True)
        return sorted(str(name)[len(self._root) :].lstrip("/") for name in found)

    def delete_unfinished(self, *, older_than_seconds: float, now: float) -> int:
        """Remove what crashes left half written in a folder; returns how many."""
        if not self.is_local:
            return 0
        removed = 0
        for path in Path(self._root).rglob(f"*{UNFINISHED}*"):
            if path.exists() and now - path.stat().st_mtime > older_than_seconds:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed += 1
        return removed

    def _at(self, path: str) -> str:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
            raise InputError(f"{path!r} is no path inside the storage.")
        return f"{self._root}/{'/'.join(parts)}"
