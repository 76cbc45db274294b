"""
Whether a name and a password are a user's.

A hash is computed once for each password that is right, and for each try that
is wrong; never on the event loop, two at a time, and by turns. What was right is
remembered by a fingerprint whose key this process made and nobody else has.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from everbearer.recent import Recent
from everbearer.users.passwords import Argon2Hash
from everbearer.users.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.secret import Secret
    from everbearer.users.connection import Endpoint
    from everbearer.users.passwords import Password
    from everbearer.users.user import User

_AT_ONCE: Final = 2
_REMEMBERED: Final = 1024
"""Of how many right passwords is known that they are: users have one each."""


class Verifier:
    """
    Verifies claims against the users of now.

    *users* is asked each time: a reload takes effect with the next request.
    """

    def __init__(self, users: Callable[[], tuple[User, ...]]) -> None:
        self._source = users
        self._seen: tuple[User, ...] = ()
        self._by_name: dict[str, User] = {}
        self._decoy: Password | None = None
        self._key = secrets.token_bytes(32)
        self._right = Recent[bytes, str](_REMEMBERED)
        # Of its own: nothing else waits for passwords, nor they for it.
        self._threads = ThreadPoolExecutor(_AT_ONCE, "verify a password")
        self._turns = Turns(_AT_ONCE, of_party=8, of_address=32, in_all=256)

    @property
    def guards(self) -> bool:
        """Tell whether there are users: then nobody else is served."""
        return bool(self._source())

    def now(self, user: User) -> User | None:
        """Return *user* as he is now; None if he is gone or has another password."""
        known = self._users().get(user.name)
        if known is None or known.password.identity != user.password.identity:
            return None
        return known

    async def verify(self, name: str, password: Secret, address: str) -> User | None:
        """
        Return the user, None for a wrong name or password: after the same time.

        *address* is the client's. Raises Crowded where too many wait.
        """
        user = self._users().get(name)
        kept = user.password if user else self._decoy
        if kept is None:
            return None  # nobody's password takes any time
        mark = self._fingerprint(name, kept, password)
        if user is not None and self._right.get(mark) == kept.identity:
            return user
        if (
            not await self._is_right(kept, password, (site(address), name))
            or user is None
        ):
            return None
        if kept.is_slow:
            self._right[mark] = kept.identity
        return self.now(user)

    async def known(self, client: Endpoint, proxy: Endpoint) -> User | None:
        """Return the user whose process made the connection, None for none known."""
        for user in self._source():
            environment = user.environment
            if environment is not None and await asyncio.to_thread(
                environment.knows, client, proxy
            ):
                return self.now(user)
        return None

    async def _is_right(
        self, kept: Password, password: Secret, party: tuple[str, str]
    ) -> bool:
        if not kept.is_slow:
            return kept.verify(password)
        async with self._turns.turn(party):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, kept.verify, password)

    def _users(self) -> dict[str, User]:
        users = self._source()
        if users is not self._seen:
            self._seen = users
            self._by_name = {user.name: user for user in users}
            self._decoy = _decoy(users)
            kept = {user.password.identity for user in users}
            for mark in [m for m, of in self._right.items() if of not in kept]:
                del self._right[mark]
        return self._by_name

    def _fingerprint(self, name: str, kept: Password, password: Secret) -> bytes:
        # The hash tells one password of a user from his next; no part is ambiguous.
        parts = (name, kept.identity, password.reveal())
        text = b"".join(len(p).to_bytes(4) + p for p in map(str.encode, parts))
        return hmac.digest(self._key, text, "sha256")


def site(address: str) -> str:
    """
    Return what stands for all addresses that one client may have.

    Of IPv6 that is the /64: any host takes as many of it as it likes (RFC 4291
    §2.5.4, RFC 8981).
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address) or found.ipv4_mapped:
        return str(getattr(found, "ipv4_mapped", None) or found)
    return str(ipaddress.ip_network((int(found), 64), strict=False))


def _decoy(users: tuple[User, ...]) -> Password | None:
    """Return what an unknown name is verified against: as slow as the slowest."""
    hashes = [u.password for u in users if isinstance(u.password, Argon2Hash)]
    if not hashes:
        return users[0].password if users else None
    return max(hashes, key=lambda each: each.cost).decoy()
