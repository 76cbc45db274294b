"""Which access tokens are ours, to know them again where a client sends one."""

from __future__ import annotations

from typing import Final

from everbearer.recent import Recent

_MEMORY: Final = 4096
"""How many fingerprints of tokens are remembered."""


class KnownTokens:
    """The fingerprints of some tokens, with the profiles that they are for."""

    def __init__(self) -> None:
        self._profiles: Recent[str, frozenset[str]] = Recent(_MEMORY)

    def note(self, fingerprint: str, profile: str) -> None:
        """Note that a token is for *profile*, beside those that it was for before."""
        known = self.profiles(fingerprint)
        self._profiles[fingerprint] = known if profile in known else known | {profile}

    def profiles(self, fingerprint: str) -> frozenset[str]:
        """Return the profiles that a token is for; none for an unknown one."""
        return self._profiles.get(fingerprint, frozenset())


class IssuedTokens:
    """
    The tokens of our grants, by who got them.

    `handed_out` are those that we put into requests, `redeemed` those that
    clients got by a refresh token of ours and send themselves.
    """

    def __init__(self) -> None:
        self.handed_out = KnownTokens()
        self.redeemed = KnownTokens()
