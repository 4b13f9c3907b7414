"""Charges a private fit to its data set's ledger before a row is learned, and binds the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from llmsynth.bundle.owner import OwnerFolder
from llmsynth.errors import SettingsError
from llmsynth.privacy import journal
from llmsynth.privacy.settings import default_delta
from llmsynth.privacy.spending_ledger import ENTRY_ID, SpendingLedger

if TYPE_CHECKING:
    from llmsynth.synthesizers import Synthesizer

_CHARGED = "ledger_entry.txt"


class LedgerCharge:
    """What one fit into a bundle is charged; nothing where it is not private.

    Args:
        cap: most epsilon that may ever be spent on the table.

    Raises:
        PrivacyError: the fit would exceed the data set's cap.
        SettingsError: a cap without a private fit.
    """

    def __init__(
        self, synthesizer: Synthesizer, table: pa.Table, bundle: Path, cap: float | None
    ) -> None:
        self._id: str | None = None
        self._bundle, self._owner = bundle, OwnerFolder.of(bundle)
        settings = synthesizer.privacy
        if settings is None:
            if cap is not None:
                raise SettingsError("--epsilon-cap is for a private fit: give --epsilon, too.")
            return
        # Reaches torch, which takes seconds to load.
        from llmsynth.synthesizers.preparation import table_hash

        self._ledger = SpendingLedger()
        self._data_set = self._ledger.data_set(table_hash(table))
        self._epsilon = settings.epsilon
        self._delta = settings.delta or default_delta(table.num_rows)
        self._note = self._owner.work / _CHARGED
        attempts = journal.read(self._owner.path)
        self._attempts = len(attempts)
        is_unfinished = bool(attempts) and not attempts[-1]["finished"]
        self._is_resumed = self._note.is_file() and is_unfinished
        if self._is_resumed:
            self._id = self._note.read_text(encoding="ascii").strip()
        else:
            self._id = self._begin(cap)

    def bind(self, synthesizer: Synthesizer) -> None:
        """Name the entry in the record that is about to be saved."""
        if self._id is None:
            return
        if self._is_resumed and len(journal.read(self._owner.path)) > self._attempts:
            # The checkpoint was of other settings: the fit began anew, and read the table again.
            self._id = self._begin(None)
        synthesizer.provenance_[ENTRY_ID] = self._id

    def finish(self) -> None:
        """Bind the saved bundle's weights and account to the entry."""
        if self._id is not None:
            self._ledger.finish(self._id, self._bundle)

    def _begin(self, cap: float | None) -> str:
        charged = self._ledger.begin(
            self._data_set, epsilon=self._epsilon, delta=self._delta, cap=cap
        )
        self._owner.make(self._owner.work)
        self._note.write_text(charged + "\n", encoding="ascii")
        return charged
