"""A token from a developer console: served until it is refused, never renewed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from everbearer.errors import ReauthorizationRequired
from everbearer.oauth.tokens import AccessToken
from everbearer.renewal.trouble import Failure, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.renewal.clock import Clock
    from everbearer.renewal.held import Held
    from everbearer.settings.model import Profile


class DeveloperToken:
    """Stands where a Renewal stands, for a profile that has a token and no grant."""

    redeeming: Final = False
    unsaved: Final = None

    def __init__(self, profile: Profile, held: Held, clock: Clock) -> None:
        assert profile.access_token is not None  # or else it has a grant
        self._profile = profile.name
        now = clock.now()
        # Nobody says when it was made, so nobody knows when it ends.
        held.adopt(AccessToken(profile.access_token, now, math.inf), now)

    async def renew(
        self, cause: str, *, forced: bool, stuck: Callable[[], None]
    ) -> Result:
        """Say that it is over: nobody asks before the token was refused."""
        del cause, stuck
        what = "cannot be renewed" if forced else "has ended"
        hint = (
            "get a new one in the Box developer console and put it where"
            f" profiles.{self._profile}.access_token points"
        )
        return Failure(
            ReauthorizationRequired(f"the developer token {what}", hint=hint), math.inf
        )

    async def look(self) -> bool:
        """Do nothing: no other process can have another one."""
        return False
