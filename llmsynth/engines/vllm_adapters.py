"""Which adapters a vLLM engine holds, so that its last slot stays empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmsynth.engines.adapter import Adapter
from llmsynth.errors import EngineError, SettingsError


@dataclass
class _Resident:
    number: int
    users: int


class ResidentAdapters:
    """Numbers adapters and drops the one unused for longest before a new one would not fit."""

    def __init__(self, most: int, drop: Callable[[int], object]) -> None:
        self._most, self._drop = most, drop
        self._residents: dict[str, _Resident] = {}
        self._last_number = 0

    def take(self, adapter: Adapter) -> int:
        """The adapter's number, held until `release`.

        Raises:
            EngineError: all places are taken by adapters whose rows are being drawn.
            SettingsError: no adapter there, or the engine was started without places for any.
        """
        if not self._most:
            raise SettingsError(
                f"Adapter {adapter.name!r}: the engine was started without room for adapters.",
                hint="Set max_adapters to at least 1.",
            )
        version = adapter.version()
        resident = self._residents.pop(version, None) or self._admitted(adapter)
        resident.users += 1
        self._residents[version] = resident  # the last one used is the last one dropped
        return resident.number

    def release(self, adapter_number: int) -> None:
        """One user less."""
        for resident in self._residents.values():
            if resident.number == adapter_number:
                resident.users -= 1

    def _admitted(self, adapter: Adapter) -> _Resident:
        if len(self._residents) >= self._most:
            idle = next((v for v, resident in self._residents.items() if not resident.users), None)
            if idle is None:
                raise EngineError(
                    f"Adapter {adapter.name!r}: rows of {self._most} other adapters are being "
                    "drawn, which is as many as the engine holds.",
                    hint="Wait for one of them, or raise max_adapters.",
                )
            self._drop(self._residents.pop(idle).number)
        self._last_number += 1
        return _Resident(self._last_number, 0)
