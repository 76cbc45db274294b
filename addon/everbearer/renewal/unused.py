"""A grant that nobody uses dies with its refresh token, unless it is renewed."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everbearer.errors import StoreError, TokenEndpointUnavailable
from everbearer.events import GrantEnding
from everbearer.oauth.refresh_life import ends_soon, is_due
from everbearer.renewal.status import ends_hint, refresh_ends_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from everbearer.events import Publish
    from everbearer.renewal.clock import Clock
    from everbearer.settings.model import Profile
    from everbearer.stores.contract import Record, Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unused:
    """Knows from the store how long one grant has not been renewed."""

    profile: Profile
    store: Store
    clock: Clock
    publish: Publish
    renew: Callable[[], Awaitable[None]]

    async def keep_alive(self) -> None:
        """
        Renew the grant if it would die because nobody uses it.

        Raises nothing: failures are published, and so is an end that comes near.
        Asks no server unless a renewal is due.
        """
        if await self._fades():
            with suppress(TokenEndpointUnavailable):  # everbearer is stopping
                await self.renew()
            await self._warn()

    async def _fades(self) -> bool:
        """Tell whether three quarters of the refresh token's life may be over."""
        record = await self._load()
        life = self.profile.refresh_token_life
        if life is None or record is None or not record.refresh_issued_at:
            return False
        return is_due(record.refresh_issued_at, life, self.clock.wall())

    async def _warn(self) -> None:
        """Tell everybody if the end is near all the same."""
        wall = self.clock.wall()
        ends_at = refresh_ends_at(self.profile, await self._load())
        if ends_at is not None and ends_soon(ends_at, wall):
            hint = ends_hint(self.profile, ends_at, wall)
            self.publish(GrantEnding(wall, self.profile.name, ends_at, hint))

    async def _load(self) -> Record | None:
        try:
            return await self.store.load(self.profile.key)
        except StoreError as error:
            # The next renewal meets it too, and tells it to everybody.
            logger.debug("profile %s: %s", self.profile.name, error)
            return None
