"""Whether a name and a password are a user's, and what finding out costs."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from dataclasses import dataclass, field

import pytest

from everbearer.secret import Secret
from everbearer.users.passwords import Argon2Hash, hashed
from everbearer.users.turns import Crowded
from everbearer.users.user import User, user_of_one_run
from everbearer.users.verifier import Verifier, site

HERE = "127.0.0.1"


@dataclass
class Slow:
    """A password that counts how often, where, and how many at once it is tried."""

    word: str
    is_slow: bool = True
    tried: int = 0
    inside: int = 0
    most: int = 0
    threads: set[int] = field(default_factory=set)
    gate: threading.Event = field(default_factory=threading.Event)
    broken: BaseException | None = None

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def identity(self) -> str:
        return hashlib.sha256(self.word.encode()).hexdigest()

    def verify(self, password: Secret) -> bool:
        self.tried += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.threads.add(threading.get_ident())
        self.gate.wait(20)
        self.inside -= 1
        if self.broken:
            raise self.broken
        return password.reveal() == self.word


class Crowd:
    """Users who can be changed, as a reload does."""

    def __init__(self, *users: User) -> None:
        self.users = users
        self.verifier = Verifier(lambda: self.users)

    async def try_in(self, name: str, word: str, address: str = HERE) -> User | None:
        return await self.verifier.verify(name, Secret(word), address)


async def inside(slow: Slow, count: int) -> None:
    """Wait until so many are being verified."""
    for _ in range(20_000):
        if slow.inside >= count:
            return
        await asyncio.sleep(0.001)
    raise AssertionError("nobody is being verified")


async def test_a_right_password_is_computed_once():
    """Off the event loop, and then known."""
    slow = Slow("right")
    alice = User("alice", slow, ("dev",))
    crowd = Crowd(alice)
    for _ in range(5):
        assert await crowd.try_in("alice", "right") is alice
    assert slow.tried == 1
    assert threading.get_ident() not in slow.threads


async def test_a_wrong_password_is_computed_each_time():
    """It is not remembered, nor does a right one let it in."""
    slow = Slow("right")
    crowd = Crowd(User("alice", slow))
    assert await crowd.try_in("alice", "right")
    for _ in range(3):
        assert await crowd.try_in("alice", "wrong") is None
    assert slow.tried == 4


async def test_what_is_remembered_is_no_password():
    """Only a keyed fingerprint: the same one is another in another process."""
    alice = User("alice", Slow("right-horse-battery"))
    seen = []
    for _ in range(2):
        crowd = Crowd(alice)
        await crowd.try_in("alice", "right-horse-battery")
        kept = crowd.verifier._right
        assert "right-horse" not in repr(kept)
        seen += kept
    assert len(set(seen)) == 2


async def test_an_unknown_name_costs_what_a_known_one_does():
    """The dearest of the users' hashes is computed, and never accepted."""
    kept = hashed(Secret("right"))
    crowd = Crowd(User("alice", kept), *(user_of_one_run("exec")[:1]))
    assert await crowd.try_in("eve", "right") is None
    decoy = crowd.verifier._decoy
    assert isinstance(decoy, Argon2Hash)
    assert decoy.cost == kept.cost
    assert not crowd.verifier._right


async def test_a_decoy_that_accepts_lets_nobody_in():
    """Whatever an unknown name is held against: it is unknown."""
    user, password = user_of_one_run("exec")
    crowd = Crowd(user)
    assert await crowd.try_in("exec", password.reveal()) is user
    assert await crowd.try_in("eve", password.reveal()) is None


async def test_a_reload_takes_effect_at_once():
    """Another hash, other profiles, a user who is gone: with the next try."""
    alice, bob = User("alice", Slow("a")), User("bob", Slow("b"))
    crowd = Crowd(alice, bob)
    assert await crowd.try_in("alice", "a")
    assert await crowd.try_in("bob", "b")
    changed = User("alice", alice.password, ("dev",))
    crowd.users = (changed,)
    assert crowd.verifier.now(alice) is changed
    assert crowd.verifier.now(bob) is None
    assert await crowd.try_in("alice", "a") is changed
    assert await crowd.try_in("bob", "b") is None
    assert len(crowd.verifier._right) == 1
    crowd.users = (User("alice", Slow("another")),)
    assert crowd.verifier.now(alice) is None
    assert await crowd.try_in("alice", "a") is None
    assert not crowd.verifier._right


async def test_who_is_removed_while_the_hash_is_computed_is_not_let_in():
    """What was right a moment ago is asked again."""
    slow = Slow("a")
    crowd = Crowd(User("alice", slow))
    slow.gate.clear()
    trying = asyncio.ensure_future(crowd.try_in("alice", "a"))
    await inside(slow, 1)
    crowd.users = (User("alice", Slow("another")),)
    slow.gate.set()
    assert await trying is None


async def test_two_hashes_are_computed_at_once_and_a_crowd_is_refused():
    """Twenty from one address with one name: two inside, eight waiting, ten told."""
    slow = Slow("a")
    crowd = Crowd(User("alice", slow))
    slow.gate.clear()
    tries = [asyncio.ensure_future(crowd.try_in("alice", "x")) for _ in range(20)]
    await inside(slow, 2)
    slow.gate.set()
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(each) for each in done].count(Crowded) == 10
    assert done.count(None) == 10
    assert slow.most == 2
    assert await crowd.try_in("alice", "a")


async def test_who_is_known_waits_for_nobody():
    """A flood of wrong passwords for his own name does not shut him out."""
    slow = Slow("a")
    crowd = Crowd(User("alice", slow))
    assert await crowd.try_in("alice", "a")
    slow.gate.clear()
    tries = [asyncio.ensure_future(crowd.try_in("alice", "x")) for _ in range(5)]
    await inside(slow, 2)
    assert await crowd.try_in("alice", "a")
    slow.gate.set()
    await asyncio.gather(*tries)


@pytest.mark.parametrize("kind", [RuntimeError, MemoryError, BaseException])
async def test_a_failure_is_no_yes(kind):
    """It is raised, for the hook to refuse, and leaves no turn taken."""
    slow = Slow("a", broken=kind("broken"))
    crowd = Crowd(User("alice", slow))
    for _ in range(5):
        with pytest.raises(kind):
            await crowd.try_in("alice", "a")
    slow.broken = None
    assert await crowd.try_in("alice", "a")


async def test_without_users_nobody_is_one():
    """And nothing is guarded."""
    crowd = Crowd()
    assert not crowd.verifier.guards
    assert await crowd.try_in("alice", "a") is None


@pytest.mark.parametrize(
    ("address", "stands_for"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_network_of_ipv6_is_one_address(address: str, stands_for: str):
    """A host has a /64 of them; of IPv4 it has one, however it is written."""
    assert site(address) == stands_for


async def test_addresses_of_one_network_share_a_line():
    """Who takes another IPv6 address for each try waits in the line of one."""
    slow = Slow("right")
    slow.gate.clear()
    crowd = Crowd(User("alice", slow))
    tries = [
        asyncio.ensure_future(crowd.try_in("alice", "wrong", f"2001:db8::{each:x}"))
        for each in range(10)
    ]
    await inside(slow, 2)
    with pytest.raises(Crowded):
        await crowd.try_in("alice", "wrong", "2001:db8::ffff")
    other = asyncio.ensure_future(crowd.try_in("alice", "right", "2001:db8:0:1::1"))
    slow.gate.set()
    assert await other is not None
    await asyncio.gather(*tries)
