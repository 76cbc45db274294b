"""
The chain of refresh tokens: which one is redeemed next.

A malformed token response is no proof of anything, but the refresh token in it
may be the only one that the server still takes. So it is the next of the chain,
and those before it stay as further chances, should the new one be refused: the
one that was proven and what malformed responses have brought since.

Nobody knows which of them is alive until one was redeemed. So a client's own
redeem of any is ours to watch: whoever redeems it has the next.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.errors import TokenResponseMalformed

if TYPE_CHECKING:
    from everbearer.errors import GrantError
    from everbearer.oauth.grants.contract import Grant
    from everbearer.secret import Secret
    from everbearer.stores.contract import Record

_EARLIER_LIMIT: Final = 8
"""How many earlier refresh tokens are kept; in between the oldest go first."""


def current(record: Record | None, grant: Grant) -> Secret | None:
    """Return the refresh token that the next renewal redeems."""
    return (record.refresh_token if record else None) or grant.seed


def refresh_tokens(record: Record, seed: Secret | None) -> tuple[Secret, ...]:
    """Return all that may be alive, in the order in which they came."""
    newest = record.refresh_token or seed
    earlier = tuple(t for t in record.earlier_refresh_tokens if t != newest)
    return (*earlier, newest) if newest else earlier


def carried_on(
    record: Record, grant: Grant, redeemed: Secret | None, error: GrantError
) -> Record | None:
    """
    Return *record* with the refresh token that a malformed response holds.

    *record* is that of the redeem of *redeemed*, with its intent. None where there
    is no other refresh token than that or the one that was proven: then nothing
    is known.
    """
    if not isinstance(error, TokenResponseMalformed):
        return None
    known = refresh_tokens(record, grant.seed)
    if error.refresh_token in {None, redeemed, *known[:1]}:
        return None
    # The first was proven: what is not never takes its place.
    unproven = tuple(t for t in known[1:] if t != error.refresh_token)
    earlier = known[:1] + unproven[1 - _EARLIER_LIMIT :]
    return replace(
        record,
        intent=None,
        refresh_token=error.refresh_token,
        refresh_issued_at=record.intent.at if record.intent else 0.0,
        earlier_refresh_tokens=earlier,
    )


def fallen_back(record: Record, grant: Grant, refused: Secret | None) -> Record | None:
    """Return *record* without the *refused* refresh token; None: it has no other."""
    left = tuple(t for t in refresh_tokens(record, grant.seed) if t != refused)
    if not left:
        return None
    *earlier, newest = left
    return replace(
        record,
        intent=None,
        refresh_token=newest,
        earlier_refresh_tokens=tuple(earlier),
    )
