"""How many requests a key may make a minute, in this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.objects.refusals import TooManyRequestsError

MOST_KNOWN = 10_000
"""Callers remembered; the one that was silent longest is forgotten first."""


class Allowance:
    """A bucket for each caller that holds a minute's requests and fills steadily."""

    def __init__(self, per_minute: int) -> None:
        self._most, self._rate = float(per_minute), per_minute / 60
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: str, moment: float) -> float:
        """Count a request; seconds until the next is allowed, 0 where this one is.

        Args:
            moment: seconds of a clock that only goes forward.
        """
        with self._lock:
            left, since = self._left.pop(caller, (self._most, moment))
            left = min(self._most, left + (moment - since) * self._rate)
            allowed = left >= 1
            self._left[caller] = (left - 1 if allowed else left, moment)
            if len(self._left) > MOST_KNOWN:
                self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate


class RateLimits(ASGIMiddleware):
    """Refuses requests beyond the allowance: by key, and by address where there is none."""

    def __init__(self, per_minute: int) -> None:
        self._allowance = Allowance(per_minute)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Let the request through, or not.

        Raises:
            TooManyRequestsError: the allowance is used up for now.
        """
        caller = scope.get("user")
        address = (scope.get("client") or ("unknown", 0))[0]
        name = caller.key_id if isinstance(caller, Caller) else f"address {address}"
        if wait := self._allowance.take(name, time.monotonic()):
            raise TooManyRequestsError(wait)
        await next_app(scope, receive, send)
