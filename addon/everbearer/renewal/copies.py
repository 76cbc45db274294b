"""What an emergency copy is to the stored record: the newer, the same, or neither."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.renewal.chain import refresh_tokens

if TYPE_CHECKING:
    from everbearer.secret import Secret
    from everbearer.stores.contract import Record


KEPT_HINT: Final = (
    "while the profile works it is not needed: remove it then; it may hold the only"
    " refresh token that the server still takes"
)
"""What a person does about a copy of which nobody knows whether it is needed."""


def kept(where: str) -> str:
    """Tell of such a copy."""
    return (
        f"the emergency copy {where} is not of the refresh token that the store has,"
        " and is kept"
    )


def taken_in(stored: Record, copy: Record, seed: Secret | None) -> Record | None:
    """
    Return the record that *copy* makes of the *stored* one; None: the store's stays.

    The copy's refresh token is the newer of the chain where a stored one (or
    the *seed*) is the one that was redeemed for it, and where the store has gone
    back behind what the copy was made from; it is all there is where the store was
    lost. A grant that does not rotate loses nothing by a store that has moved on.
    """
    new = replace(copy, version=stored.version, intent=None)
    if not stored.version:
        return new
    if same_tokens(stored, copy):
        return None
    known = refresh_tokens(stored, seed)
    # Versions only grow: this store was brought back from a backup, or its server
    # has failed over to one that lags.
    if stored.version < copy.version and copy.refresh_token not in {None, *known}:
        return new
    redeemable = {token.fingerprint() for token in known} or {""}
    if copy.intent is None or copy.intent.refresh_fingerprint not in redeemable:
        return None
    moved_on = stored.version != copy.version
    if moved_on and copy.refresh_token in {None, *known}:
        return None
    return new


def nothing_lost(stored: Record, copy: Record) -> bool:
    """Tell whether *copy* may go: *stored* has its refresh token, or it has none."""
    kept = (stored.refresh_token, *stored.earlier_refresh_tokens)
    return copy.refresh_token is None or copy.refresh_token in kept


def same_tokens(one: Record, other: Record) -> bool:
    """Tell whether two records hold the same access and refresh token."""
    return (
        one.access_token == other.access_token
        and one.refresh_token == other.refresh_token
    )
