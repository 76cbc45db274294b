"""An access token in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everbearer.secret import Secret


@dataclass(frozen=True, slots=True)
class AccessToken:
    """
    An access token (RFC 6749 §1.4) with its life on the monotonic clock.

    `issued_at` is when its token request was sent, so that the answer's way
    is never counted as life; `expires_at` is `inf` where nobody told an end.
    Both in seconds.
    """

    value: Secret
    issued_at: float
    expires_at: float
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", self.value.fingerprint())

    @property
    def life(self) -> float:
        """Seconds between issue and end."""
        return self.expires_at - self.issued_at
