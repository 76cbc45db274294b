"""One renewal that many wait for."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any, Final, Protocol

from everbearer.errors import (
    StoreBrokeOff,
    StoreError,
    TokenEndpointUnavailable,
    stopping,
)
from everbearer.renewal.trouble import Result, Success

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.errors import EverbearerError
    from everbearer.oauth.tokens import AccessToken
    from everbearer.renewal.clock import Clock

PATIENCE: Final = 30.0
"""Seconds that a request waits for a token, and that an attempt is repeated for."""

_PASSING: Final = (TokenEndpointUnavailable, StoreBrokeOff)
"""What is waited for: it may be over before the patience is."""

_BUSY_RETRY: Final = 5.0
_COPIED_HINT: Final = (
    "make room on the disk and see that the store can be written: the next everbearer"
    " that needs the token takes the copy in"
)
_STOP_LOOK: Final = 0.1
"""Seconds between two looks whether a redeem under way is on disk."""


class Source(Protocol):
    """Where the tokens of a profile come from."""

    @property
    def redeeming(self) -> bool:
        """Something was asked for that must be kept: do not cancel."""

    @property
    def unsaved(self) -> StoreError | None:
        """Why what was redeemed is not in the store yet; None where nothing is so."""

    async def renew(
        self, cause: str, *, forced: bool, stuck: Callable[[], None]
    ) -> Result:
        """Make one attempt; *stuck* is called when it will take long."""

    async def look(self) -> bool:
        """Hold what another process saved; tell whether it did. Raises StoreError."""


class Flight:
    """
    One renewal, tried again within a request's patience.

    Those who wait for it share its end, and cancelling one cancels nothing.
    """

    def __init__(
        self, source: Source, clock: Clock, cause: str, *, forced: bool
    ) -> None:
        self._source = source
        self._clock = clock
        self._cause = cause
        self._forced = forced
        self._last = False
        self._trouble: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[Result]

    async def fly(self) -> Result:
        """Try until there is a token, an end, or no patience."""
        end = self._clock.now() + PATIENCE
        while True:
            result = await self._source.renew(
                self._cause, forced=self._forced, stuck=self._notice
            )
            if isinstance(result, Success) or self._last:
                return result
            if not isinstance(result.error, _PASSING):
                return result
            if self._clock.now() + result.retry_after > end:
                return result
            self._notice()
            await self._clock.sleep(result.retry_after)

    async def notice(self, patience: float) -> None:
        """Wait until the first thing goes wrong, or the end; at most *patience*."""
        first: set[asyncio.Future[Any]] = {self._trouble, self.task}
        await asyncio.wait(first, timeout=patience, return_when=asyncio.FIRST_COMPLETED)

    async def landing(self, patience: float) -> None:
        """Wait until the end; at most *patience* seconds."""
        await asyncio.wait({self.task}, timeout=patience)

    async def end(self) -> Result:
        """
        Wait for the end, however long it takes.

        Raises StoreError where after 30 s, or 30 s later and so on, all there is of
        what came is an emergency copy: there is nothing that could be lost.
        """
        while (result := self.result()) is None:
            await self.landing(PATIENCE)
            unsaved = self._source.unsaved
            if unsaved is not None and not self._source.redeeming:
                raise StoreError(
                    "the new token is in an emergency copy, and cannot be saved in the"
                    f" store: {unsaved.message}",
                    hint=_COPIED_HINT,
                )
        return result

    async def stop(self, patience: float) -> None:
        """End soon: at once, or when what is being redeemed is on disk."""
        self._last = True
        end = self._clock.now() + patience
        while self._source.redeeming and not self.task.done():
            if (left := end - self._clock.now()) <= 0:
                break
            await self.landing(min(left, _STOP_LOOK))
        self.task.cancel()
        await self.landing(patience)

    def result(self) -> Result | None:
        """Return the end, None before it; raises what nobody expected."""
        if not self.task.done():
            return None
        if self.task.cancelled():
            raise stopping()
        return self.task.result()

    def _notice(self) -> None:
        if not self._trouble.done():
            self._trouble.set_result(None)


def token_or_raise(result: Result) -> AccessToken:
    """
    Return the token of a success, raise the error of a failure.

    A copy of it: one that a thousand waiters raise would collect the traceback
    of each.
    """
    if isinstance(result, Success):
        return result.token
    raise copy.copy(result.error)


def none_in_time(profile: str, unsaved: StoreError | None) -> EverbearerError:
    """Return what those get who have waited for as long as they could."""
    if unsaved is not None:
        return StoreError(
            f"the new token cannot be saved: {unsaved.message}", hint=unsaved.hint
        )
    return TokenEndpointUnavailable(
        f"no token for profile {profile} within {PATIENCE:.0f} s",
        retry_after=_BUSY_RETRY,
    )
