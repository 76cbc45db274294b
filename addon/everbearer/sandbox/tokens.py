"""The tokens that the authorization server has issued, and which are still good."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from everbearer.sandbox.accounts import App, User, opaque
from everbearer.sandbox.clock import Clock
from everbearer.sandbox.rotation import Chain, Pair, Rejection, SettleOn, redeem, use

# DOC guides/authentication/tokens/refresh: "valid for 60 days".
REFRESH_LIFE = 60 * 24 * 3600.0
ACCESS_TOKEN_LENGTH = 32
# Box's Postman script takes a refresh token of another length for a missing one.
REFRESH_TOKEN_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a downscoped token is limited to; *resource* is "files/1" or None."""

    scopes: frozenset[str]
    resource: str | None = None


@dataclass(slots=True)
class AccessToken:
    """An access token as its server knows it; *chain* is its grant's index."""

    value: str
    profile: str
    client_id: str
    user: User
    expires_at: float
    restriction: Restriction | None = None
    chain: int | None = None


class Tokens:
    """
    Issues, checks and revokes tokens.

    `changed` is called after whatever a restart must not forget.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        life: float,
        strict: bool,
        settle_on: SettleOn,
    ) -> None:
        self.life = life
        self.strict = strict
        self.ever_issued: list[str] = []
        self._clock = clock
        self._settle_on = settle_on
        self.changed: Callable[[], None] = lambda: None
        self._access: dict[str, AccessToken] = {}
        self._chains: list[Chain] = []
        self._chain_of_refresh: dict[str, int] = {}
        self._owners: list[tuple[App, User]] = []

    def __iter__(self) -> Iterator[AccessToken]:
        return iter(self._access.values())

    def check(self, value: str) -> AccessToken | None:
        """Return the token if a request with it is to be served, and count the use."""
        token = self.look(value)
        if token is None or token.chain is None:
            return token
        chain = self._chains[token.chain]
        used = use(chain, value)
        if used is not chain:
            self._replace_chain(token.chain, used)
        return token

    def look(self, value: str) -> AccessToken | None:
        """Return the token if it is good, without counting it as used."""
        token = self._access.get(value)
        if token is None or token.expires_at <= self._clock.now():
            return None
        return token

    def issue(
        self,
        app: App,
        user: User,
        *,
        value: str | None = None,
        life: float | None = None,
        restriction: Restriction | None = None,
    ) -> AccessToken:
        """
        Return a new access token, of the usual life unless *life* is given.

        Earlier ones stay good: box-windows-sdk-v2#548.
        """
        token = AccessToken(
            value=value or opaque(ACCESS_TOKEN_LENGTH),
            profile=app.profile,
            client_id=app.client_id,
            user=user,
            expires_at=self._clock.now() + (self.life if life is None else life),
            restriction=restriction,
        )
        self._access[token.value] = token
        self.ever_issued.append(token.value)
        return token

    def grant(self, app: App, user: User) -> Pair:
        """Return the first pair of a new consent of *user* to *app*."""
        pair = self._fresh_pair()
        self._owners.append((app, user))
        self._chains.append(Chain(settled=pair))
        self._adopt(len(self._chains) - 1, pair)
        self.changed()
        return pair

    def redeem(self, refresh_token: str, app: App) -> Pair | Rejection:
        """Return the pair that *refresh_token* buys, or why it buys none."""
        index = self._chain_of_refresh.get(refresh_token)
        if index is None or self._owners[index][0].client_id != app.client_id:
            return Rejection.UNKNOWN
        chain, result = redeem(
            self._chains[index],
            refresh_token,
            self._fresh_pair(),
            self._clock.now(),
            strict=self.strict,
            settle_on=self._settle_on,
        )
        if isinstance(result, Pair) and result.refresh_token not in (
            self._chain_of_refresh
        ):
            self._adopt(index, result)
        self._replace_chain(index, chain)
        return result

    def redeemable(self, refresh_token: str) -> bool:
        """Tell whether a redeem of *refresh_token* would succeed now."""
        index = self._chain_of_refresh.get(refresh_token)
        if index is None or refresh_token not in self._chains[index].refresh_tokens():
            return False
        settled, pending = self._chains[index].settled, self._chains[index].pending
        held = settled if settled.refresh_token == refresh_token else pending
        return held is not None and held.refresh_expires_at > self._clock.now()

    def remaining(self, pair: Pair) -> int:
        """Return the `expires_in` of *pair*, in whole seconds, at least 1."""
        return max(1, round(pair.access_expires_at - self._clock.now()))

    def revoke(self, value: str, app: App) -> bool:
        """
        Revoke an access token, or with either of a pair the whole grant.

        Tells whether *value* was one of *app*'s.
        """
        token = self._access.get(value)
        index = token.chain if token else self._chain_of_refresh.get(value)
        if index is not None and self._owners[index][0].client_id == app.client_id:
            was_good = not self._chains[index].revoked
            self._replace_chain(index, replace(self._chains[index], revoked=True))
            return was_good
        if token is None or index is not None or token.client_id != app.client_id:
            return False
        del self._access[value]
        return True

    def kill(self, chosen: Callable[[AccessToken], bool]) -> int:
        """Make the chosen access tokens invalid, refresh tokens stay; count them."""
        tokens = [token for token in self._access.values() if chosen(token)]
        for token in tokens:
            self._end(token)
            del self._access[token.value]
        return len(tokens)

    def expire(self, chosen: Callable[[AccessToken], bool]) -> int:
        """Let the life of the chosen access tokens end now; count them."""
        tokens = [token for token in self._access.values() if chosen(token)]
        for token in tokens:
            self._end(token)
        return len(tokens)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the grants with refresh tokens, as `restore` reads them."""
        return [
            {
                "profile": app.profile,
                "user": user.id,
                "settled": _pair_to_json(chain.settled),
                "pending": chain.pending and _pair_to_json(chain.pending),
                "lingering": chain.lingering,
                "spent": chain.spent,
                "revoked": chain.revoked,
            }
            for chain, (app, user) in zip(self._chains, self._owners, strict=True)
        ]

    def restore(self, kept: dict[str, Any], app: App, user: User) -> None:
        """Take up a grant that `to_json` described."""
        chain = Chain(
            settled=Pair(*kept["settled"]),
            pending=Pair(*kept["pending"]) if kept["pending"] else None,
            lingering=(),
            spent=tuple(kept["spent"]),
            revoked=kept["revoked"],
        )
        index = len(self._chains)
        self._owners.append((app, user))
        self._chains.append(chain)
        for spent in chain.spent:
            self._chain_of_refresh[spent] = index
        for pair in (chain.settled, chain.pending):
            if pair:
                self._adopt(index, pair)
        self._replace_chain(index, chain)

    def _end(self, token: AccessToken) -> None:
        token.expires_at = min(token.expires_at, self._clock.now())
        if token.chain is not None:
            # The pair must know too: a dead access token is not repeated.
            chain = self._chains[token.chain]
            self._chains[token.chain] = replace(
                chain,
                settled=_ended(chain.settled, token),
                pending=chain.pending and _ended(chain.pending, token),
            )
            self.changed()

    def _fresh_pair(self) -> Pair:
        now = self._clock.now()
        return Pair(
            access_token=opaque(ACCESS_TOKEN_LENGTH),
            refresh_token=opaque(REFRESH_TOKEN_LENGTH),
            access_expires_at=now + self.life,
            refresh_expires_at=now + REFRESH_LIFE,
        )

    def _adopt(self, index: int, pair: Pair) -> None:
        app, user = self._owners[index]
        self._chain_of_refresh[pair.refresh_token] = index
        self._access[pair.access_token] = AccessToken(
            value=pair.access_token,
            profile=app.profile,
            client_id=app.client_id,
            user=user,
            expires_at=pair.access_expires_at,
            chain=index,
        )
        self.ever_issued += [pair.access_token, pair.refresh_token]

    def _replace_chain(self, index: int, chain: Chain) -> None:
        self._chains[index] = chain
        alive = set(chain.access_tokens())
        dead = [
            token.value
            for token in self._access.values()
            if token.chain == index and token.value not in alive
        ]
        for value in dead:
            del self._access[value]
        self.changed()


def _ended(pair: Pair, token: AccessToken) -> Pair:
    if pair.access_token != token.value:
        return pair
    return replace(pair, access_expires_at=token.expires_at)


def _pair_to_json(pair: Pair) -> list[object]:
    return [
        pair.access_token,
        pair.refresh_token,
        pair.access_expires_at,
        pair.refresh_expires_at,
    ]
