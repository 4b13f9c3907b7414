"""Where a fit keeps what it works with: in the owner's folder, never in the bundle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from llmsynth.bundle.owner import OwnerFolder

_CHECKPOINT = "checkpoint.safetensors"
_OF_BEFORE = (_CHECKPOINT, "tuning", "privacy_journal.json")
"""What earlier builds kept in the bundle itself."""


@contextmanager
def fit_work(bundle: Path) -> Iterator[Path]:
    """The folder in which a fit into `bundle` works and leaves its checkpoints.

    When the block ends well, the folder is deleted unless a checkpoint is in it, with which the
    same command goes on; when it does not, one line names what stays.
    """
    owner = OwnerFolder.of(bundle)
    owner.make(owner.work)
    _take_in(bundle, owner)
    try:
        yield owner.work
    except BaseException:
        if any(path.is_file() for path in owner.work.rglob("*")):
            _tell(owner)
        else:
            owner.remove_if_unused()
        raise
    if has_checkpoint(bundle):
        _tell(owner)
    else:
        owner.remove_work()


def has_checkpoint(bundle: Path) -> bool:
    """Whether an unfinished fit into `bundle` left something to go on from."""
    return any(OwnerFolder.of(bundle).work.rglob(_CHECKPOINT))


def _tell(owner: OwnerFolder) -> None:
    typer.echo(
        f"Work files of the unfinished fit, which hold rows of the table, are in {owner.work}: the "
        "same command goes on from what it can use of them and deletes them when it is done.",
        err=True,
    )


def _take_in(bundle: Path, owner: OwnerFolder) -> None:
    """Move what an earlier build left in the bundle to where it belongs."""
    for name in _OF_BEFORE:
        place = owner.path if name == _OF_BEFORE[-1] else owner.work
        if (bundle / name).exists() and not (place / name).exists():
            (bundle / name).rename(place / name)
            typer.echo(f"Moved {name} of an earlier fit out of {bundle} into {place}.")
