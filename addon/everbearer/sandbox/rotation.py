"""
How Box rotates refresh tokens, without I/O.

Law 1: a redeem does not retire the old refresh token; the first use of what it
gave does. Until then the same redeem gives the same pair, so that a lost answer
costs nothing (box-facts, "REFRESH-TOKEN ROTATION").
Law 2: at most two refresh tokens of a grant are valid at any time.
Law 3: in strict mode a redeemed refresh token is dead at once, and its reuse
revokes the whole grant (RFC 9700 §4.14.2).
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class SettleOn(StrEnum):
    """What retires the tokens before a new pair; Box's word and its users' differ."""

    ACCESS_TOKEN = "access_token"  # noqa: S105  the name of an event, not a secret
    EITHER = "either"


class Rejection(StrEnum):
    """Why a redeem gave nothing; the texts are Box's."""

    UNKNOWN = "Invalid refresh token"
    EXPIRED = "Refresh token has expired"


@dataclass(frozen=True, slots=True)
class Pair:
    """What one redeem gives; instants in seconds since 1970."""

    access_token: str
    refresh_token: str
    access_expires_at: float
    refresh_expires_at: float


@dataclass(frozen=True, slots=True)
class Chain:
    """
    The tokens that came from one consent.

    *settled* is the newest pair in use, *pending* one that was issued since and
    not used yet, *lingering* older access tokens that are not retired yet, *spent*
    the refresh tokens that are no longer good for anything.
    """

    settled: Pair
    pending: Pair | None = None
    lingering: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()
    revoked: bool = False

    def access_tokens(self) -> tuple[str, ...]:
        """Return the access tokens that are alive, time apart."""
        if self.revoked:
            return ()
        pending = (self.pending.access_token,) if self.pending else ()
        return (*self.lingering, self.settled.access_token, *pending)

    def refresh_tokens(self) -> tuple[str, ...]:
        """Return the refresh tokens that a redeem would accept, time apart."""
        if self.revoked:
            return ()
        pending = (self.pending.refresh_token,) if self.pending else ()
        return (self.settled.refresh_token, *pending)


def use(chain: Chain, access_token: str) -> Chain:
    """
    Return *chain* after a request with *access_token*, which must be alive.

    The first use of a new access token retires the one before it, and the refresh
    token that bought it (box-node-sdk#157).
    """
    if chain.pending and access_token == chain.pending.access_token:
        return replace(
            chain,
            settled=chain.pending,
            pending=None,
            lingering=(),
            spent=(*chain.spent, chain.settled.refresh_token),
        )
    if chain.lingering and access_token == chain.settled.access_token:
        return replace(chain, lingering=())
    return chain


def redeem(  # noqa: PLR0911  one return for each case that Box tells apart
    chain: Chain,
    refresh_token: str,
    fresh: Pair,
    now: float,
    *,
    strict: bool,
    settle_on: SettleOn,
) -> tuple[Chain, Pair | Rejection]:
    """
    Return *chain* after a redeem, and what it gave.

    *fresh* is the pair to issue if a new one is due.
    """
    if chain.revoked:
        return chain, Rejection.UNKNOWN
    if refresh_token in chain.spent:
        return replace(chain, revoked=strict), Rejection.UNKNOWN
    held = next(
        (
            pair
            for pair in (chain.settled, chain.pending)
            if pair and pair.refresh_token == refresh_token
        ),
        None,
    )
    if held is None:
        return chain, Rejection.UNKNOWN
    if held.refresh_expires_at <= now:
        return chain, Rejection.EXPIRED
    if strict:
        return _redeem_strictly(chain, held, fresh), fresh
    if held is chain.pending:
        return _advance(chain, held, fresh, settle_on), fresh
    if chain.pending and chain.pending.access_expires_at > now:
        return chain, chain.pending
    # Nobody used what was issued and it is dead by now: repeating it would wedge
    # the grant, and a third refresh token would break law 2.
    spent = (chain.pending.refresh_token,) if chain.pending else ()
    return replace(chain, pending=fresh, spent=(*chain.spent, *spent)), fresh


def _advance(chain: Chain, held: Pair, fresh: Pair, settle_on: SettleOn) -> Chain:
    lingering = (*chain.lingering, chain.settled.access_token)
    return Chain(
        settled=held,
        pending=fresh,
        lingering=() if settle_on is SettleOn.EITHER else lingering,
        spent=(*chain.spent, chain.settled.refresh_token),
    )


def _redeem_strictly(chain: Chain, held: Pair, fresh: Pair) -> Chain:
    other = [
        pair for pair in (chain.settled, chain.pending) if pair and pair is not held
    ]
    return Chain(
        settled=fresh,
        lingering=(
            *chain.lingering,
            *(pair.access_token for pair in other),
            held.access_token,
        ),
        spent=(
            *chain.spent,
            *(pair.refresh_token for pair in other),
            held.refresh_token,
        ),
    )
