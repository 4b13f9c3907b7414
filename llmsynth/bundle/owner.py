"""The owner's folder of a bundle: what a fit needs or leaves that must not be shipped.

It lies beside the bundle and has its name with `.owner` behind it. Whoever is handed the bundle
alone holds nothing of it. `guard/` holds what keeps drawn rows from repeating the training table,
`work/` what an unfinished fit goes on from, and `table.key` the key of the record's hashes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from llmsynth.errors import BundleError

SUFFIX = ".owner"
_WORK, _GUARD, _KEY, _README = "work", "guard", "table.key", "README.txt"
_PRIVATE = 0o700
_KEY_BYTES = 32
_WORDS = """\
This folder belongs to whoever fitted the synthesizer beside it. Keep it at home.

It can hold what tells of single rows of the training table:
  guard/     keeps drawn rows from repeating the training table; sampling uses it where it is here
  work/      what an unfinished fit goes on from: encoded rows and texts; gone when the fit is done
  table.key  the key of the hashes in the synthesizer's record

The synthesizer works without this folder. `llmsynth export` leaves it out; so do you when you hand
the synthesizer on by other means.
"""


@dataclass(frozen=True)
class OwnerFolder:
    """Where the owner's files of a bundle, or of a part of it, are."""

    root: Path
    """The owner's folder of the whole bundle."""
    path: Path
    """The same, or what it holds of a part of the bundle."""

    @classmethod
    def of(cls, bundle: str | Path) -> Self:
        """The one beside a bundle, whether it is there or not."""
        bundle = Path(bundle)
        if bundle.name in ("", ".."):
            bundle = bundle.resolve()
        root = bundle.with_name(bundle.name + SUFFIX)
        return cls(root, root)

    def part(self, name: str) -> OwnerFolder:
        """That of a bundle in a folder called `name` of this one: never inside what is shipped."""
        return OwnerFolder(self.root, self.path / name)

    @property
    def exists(self) -> bool:
        """Whether it is there: not so where the bundle was exported."""
        return self.path.is_dir()

    @property
    def guard(self) -> Path:
        """Folder of the files that keep drawn rows from repeating the training table."""
        return self.path / _GUARD

    @property
    def work(self) -> Path:
        """Folder of what an unfinished fit goes on from."""
        return self.path / _WORK

    def make(self, *folders: Path) -> None:
        """Make the folder, and these below it, for nobody but their owner.

        Raises:
            BundleError: it cannot be written.
        """
        try:
            for folder in (self.root, self.path, *folders):
                folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
                folder.chmod(_PRIVATE)
            (self.root / _README).write_text(_WORDS, encoding="utf-8")
        except OSError as error:
            raise BundleError(
                f"The owner's folder {self.path} cannot be written: {error}.",
                hint="Name a bundle beside which a folder can be made.",
            ) from error

    def remove_work(self) -> None:
        """Delete what an unfinished fit left."""
        shutil.rmtree(self.work, ignore_errors=True)

    def remove_if_unused(self) -> None:
        """Delete the folder where nothing but its README and empty folders is in it."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        if all(path.name == _README for path in files):
            shutil.rmtree(self.root, ignore_errors=True)

    def write_key(self, key: bytes) -> None:
        """Keep the key of the record's hashes.

        Raises:
            BundleError: it cannot be written.
        """
        self.make()
        path = self.path / _KEY
        try:
            path.touch(mode=0o600)
            path.write_text(key.hex() + "\n", encoding="ascii")
        except OSError as error:
            raise BundleError(f"{path} cannot be written: {error}.") from error

    def read_key(self) -> bytes | None:
        """The key of the record's hashes; None where it is not here.

        Raises:
            BundleError: it is here, and broken.
        """
        path = self.path / _KEY
        if not path.is_file():
            return None
        try:
            return bytes.fromhex(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise BundleError(f"{path} cannot be read: {error}.") from error


def lasting(work: Path) -> Path:
    """Where what outlives an unfinished fit is kept: beside a bundle's work folder; any other
    folder of checkpoints holds it itself.
    """
    is_owned = work.name == _WORK and any(path.name.endswith(SUFFIX) for path in work.parents)
    return work.parent if is_owned else work


def new_key() -> bytes:
    """A key that nobody can guess: 32 random bytes."""
    return secrets.token_bytes(_KEY_BYTES)


def keyed_hash(key: bytes, content: str) -> str:
    """HMAC-SHA-256 of a text, in hex: without the key, a guess cannot be confirmed by it."""
    return hmac.new(key, content.encode(), hashlib.sha256).hexdigest()
