"""The renewals of one profile, as events."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everbearer.events import (
    ClientRedeemed,
    EmergencyCopy,
    RenewalFailed,
    Renewed,
    SaveFailed,
    TokensDeleted,
)

if TYPE_CHECKING:
    from everbearer.errors import EverbearerError, StoreError
    from everbearer.events import Publish
    from everbearer.oauth.tokens import AccessToken
    from everbearer.renewal.clock import Clock


@dataclass(frozen=True, slots=True)
class Telling:
    """Publishes what happened to the profile."""

    profile: str
    clock: Clock
    publish: Publish

    def renewed(
        self, token: AccessToken, cause: str, begun: float, *, shared: bool = False
    ) -> None:
        """Tell of a token in the store; *begun* is monotonic."""
        now, wall = self.clock.now(), self.clock.wall()
        self.publish(
            Renewed(
                at=wall,
                profile=self.profile,
                cause=cause,
                token=token.fingerprint,
                expires_at=wall + token.expires_at - now,
                duration=now - begun,
                shared=shared,
            )
        )

    def shared(self, token: AccessToken, cause: str, begun: float) -> None:
        """Tell that another process renewed."""
        # What lay in the store when we started is no renewal.
        if cause != "first":
            self.renewed(token, cause, begun, shared=True)

    def logged_out(self, *, revoked: bool) -> None:
        """Tell that the tokens are deleted."""
        self.publish(TokensDeleted(self.clock.wall(), self.profile, revoked))

    def failed(self, error: EverbearerError, cause: str, wait: float) -> None:
        """Tell of an attempt in vain; *wait* is `inf` when nobody tries again."""
        wall = self.clock.wall()
        self.publish(
            RenewalFailed(
                at=wall,
                profile=self.profile,
                cause=cause,
                code=error.code,
                message=error.message,
                hint=error.hint,
                retry_at=wall + wait if math.isfinite(wait) else 0.0,
            )
        )

    def client_redeemed(
        self,
        outcome: str,
        message: str,
        *,
        hint: str = "",
        token: AccessToken | None = None,
    ) -> None:
        """Tell what became of a refresh token that a client redeemed by itself."""
        now, wall = self.clock.now(), self.clock.wall()
        self.publish(
            ClientRedeemed(
                at=wall,
                profile=self.profile,
                outcome=outcome,
                message=message,
                hint=hint,
                token=token.fingerprint if token else "",
                expires_at=wall + token.expires_at - now if token else 0.0,
            )
        )

    def unsaved(self, error: StoreError, where: str) -> None:
        """Tell that saves fail; *where* the emergency copy lies, "" without one."""
        at = self.clock.wall()
        self.publish(SaveFailed(at, self.profile, error.message, error.hint, where))

    def copy(self, message: str, hint: str = "") -> None:
        """Tell of an emergency copy; *hint* where a person must act."""
        self.publish(EmergencyCopy(self.clock.wall(), self.profile, message, hint))
