"""The owner's ledger: what was spent on each data set, whatever became of the bundles' folders.

It lies in a folder of its own, by default the user's state folder; `LLMSYNTH_LEDGER` names
another. `secret` is its owner's key, `entries.jsonl` one signed entry a line, each chained to the
one before: an entry that was changed, moved, or removed from the middle is noticed.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import hmac
import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from llmsynth.bundle.owner import keyed_hash
from llmsynth.errors import PrivacyError

Entry = dict[str, object]
ENTRY_ID = "ledger_entry"
"""Of the record of a private bundle: which entry is its own."""
_PLACE = "LLMSYNTH_LEDGER"
_SECRET, _ENTRIES, _LOCK = "secret", "entries.jsonl", "lock"
_WEIGHTS = "*.safetensors"


class SpendingLedger:
    """Entries of all data sets of one owner.

    Args:
        folder: where it lies; `default_place` when omitted. It is made with the first entry.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_place()

    @property
    def exists(self) -> bool:
        """Whether there is one at hand."""
        return (self.folder / _SECRET).is_file()

    def data_set(self, table_hash: str) -> str:
        """The name of a data set: a hash keyed by the owner's secret."""
        return keyed_hash(self._secret(), table_hash)

    def begin(self, data_set: str, *, epsilon: float, delta: float, cap: float | None) -> str:
        """Charge a fit before it reads a row; its id comes back.

        Args:
            cap: most that may ever be spent on the data set, from now on; None: as it was.

        Raises:
            PrivacyError: the fit would exceed the cap, or the ledger was changed.
        """
        with self._locked():
            entries = self.entries()
            own = [entry for entry in entries if entry.get("data_set") == data_set]
            spent = sum(float(str(e["epsilon"])) for e in own if e["kind"] == "begin")
            caps = [float(str(entry["epsilon_cap"])) for entry in own if entry["kind"] == "cap"]
            if cap is not None:
                # A cap can be lowered, never raised: what was promised holds.
                lowest = min([cap, *caps])
                self._append(entries, {"kind": "cap", "data_set": data_set, "epsilon_cap": lowest})
                caps.append(lowest)
            most = min(caps, default=math.inf)
            if spent + epsilon > most * (1 + 1e-9):
                raise PrivacyError(
                    f"Epsilon {epsilon:g} would bring this data set to {spent + epsilon:g}; its "
                    f"cap is {most:g}, and {spent:g} is spent.",
                    hint=f"Ask for at most {max(most - spent, 0):g}. The ledger is in "
                    f"{self.folder}.",
                )
            entry_id = secrets.token_hex(8)
            self._append(
                entries,
                {"kind": "begin", "data_set": data_set, "id": entry_id, "epsilon": epsilon}
                | {"delta": delta},
            )
            return entry_id

    def finish(self, entry_id: str, bundle: Path) -> None:
        """Bind a finished fit to its weights and to the account in its record."""
        account = account_hash(bundle)
        with self._locked():
            told = {"kind": "fit", "id": entry_id, "weights": weights_hash(bundle)}
            self._append(self.entries(), {**told, "account": account})

    def check(self, bundle: Path) -> Entry | None:
        """The entry that confirms a bundle's account; None where the ledger knows none.

        Raises:
            PrivacyError: weights or record are not those the ledger was told of.
        """
        weights, account = weights_hash(bundle), account_hash(bundle)
        own = _record(bundle).get(ENTRY_ID)
        fits = [entry for entry in self.entries() if entry["kind"] == "fit"]
        found = [e for e in fits if e["weights"] == weights or e["id"] == own]
        if not found:
            return None
        entry = found[-1]
        for name, is_same in (
            ("its weights are not those that were fitted", entry["weights"] == weights),
            ("the account in provenance.json was changed", entry["account"] == account),
            ("provenance.json names another fit", entry["id"] == own),
        ):
            if not is_same:
                raise PrivacyError(
                    f"{bundle} does not match its ledger in {self.folder}: {name}.",
                    hint="Restore the bundle as `llmsynth fit` wrote it; what it claims is void.",
                )
        return entry

    def spent(self, entry_id: str) -> tuple[float, int]:
        """Epsilon of all fits begun on the data set of an entry, added up, and how many."""
        entries = [entry for entry in self.entries() if entry["kind"] == "begin"]
        own = next((e["data_set"] for e in entries if e["id"] == entry_id), None)
        found = [float(str(e["epsilon"])) for e in entries if e["data_set"] == own]
        return sum(found), len(found)

    def entries(self) -> list[Entry]:
        """All entries, oldest first, each held against its signature and the one before.

        Raises:
            PrivacyError: one does not hold.
        """
        path = self.folder / _ENTRIES
        out: list[Entry] = []
        before = ""
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for number, line in enumerate(lines, start=1):
            try:
                entry = dict(json.loads(line))
                signature = str(entry.pop("hmac"))
            except (ValueError, KeyError, TypeError) as error:
                raise self._changed(number) from error
            is_chained = entry.get("before") == before
            if not (is_chained and hmac.compare_digest(signature, self._signed(entry))):
                raise self._changed(number)
            out.append(entry)
            before = signature
        return out

    def _append(self, known: list[Entry], told: Mapping[str, object]) -> None:
        before = self._signed(known[-1]) if known else ""
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        entry = {**told, "at": now, "before": before}
        line = json.dumps({**entry, "hmac": self._signed(entry)}, sort_keys=True)
        with (self.folder / _ENTRIES).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        known.append(entry)

    def _signed(self, entry: Mapping[str, object]) -> str:
        return keyed_hash(self._secret(), json.dumps(entry, sort_keys=True))

    def _secret(self) -> bytes:
        path = self.folder / _SECRET
        if not path.is_file():
            if (self.folder / _ENTRIES).exists():
                raise PrivacyError(
                    f"The ledger in {self.folder} has lost its secret.", hint="Restore the file."
                )
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32), encoding="ascii")
        return bytes.fromhex(path.read_text(encoding="ascii"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / _LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _changed(self, number: int) -> PrivacyError:
        return PrivacyError(
            f"Entry {number} of the ledger in {self.folder} was changed, removed or moved.",
            hint="Restore the ledger: what was spent is not known.",
        )


def default_place() -> Path:
    """`LLMSYNTH_LEDGER`, or `llmsynth/ledger` in the user's state folder."""
    if named := os.environ.get(_PLACE):
        return Path(named)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "llmsynth" / "ledger"


def weights_hash(bundle: Path) -> str:
    """sha256 over names and contents of all weights of a bundle."""
    digest = hashlib.sha256()
    for path in sorted(bundle.rglob(_WEIGHTS)):
        name = path.relative_to(bundle).as_posix()
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def account_hash(bundle: Path) -> str:
    """sha256 of the account of differential privacy in a bundle's record."""
    account = _record(bundle).get("differential_privacy")
    return hashlib.sha256(json.dumps(account, sort_keys=True).encode()).hexdigest()


def _record(bundle: Path) -> Mapping[str, object]:
    try:
        record = json.loads((bundle / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrivacyError(f"{bundle / 'provenance.json'} cannot be read: {error}.") from error
    return record if isinstance(record, dict) else {}
