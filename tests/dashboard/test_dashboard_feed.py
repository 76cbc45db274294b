"""What readers of the stream are told, and that slow ones are dropped."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from samples import HeldStore, settings

from everbearer.broker import Broker
from everbearer.dashboard.answers import as_json
from everbearer.dashboard.collector import MOST, Collector
from everbearer.dashboard.feed import PING, READERS, Feed, Reader
from everbearer.dashboard.state import Instance, SetUp, State
from everbearer.errors import StoreError
from everbearer.policy.told import METHOD, PATH
from everbearer.tasks import Tasks
from happened import AT, exchanged, renewed, view


class Store(HeldStore):
    """A store in memory that can be taken away."""

    gone = False

    async def load(self, key):
        if self.gone:
            raise StoreError("the disk is gone", hint="put it back")
        return await super().load(key)


@pytest.fixture
def store() -> Store:
    """Give a store."""
    return Store()


@pytest.fixture
def state(tmp_path: Path, store: Store) -> State:
    """Give the state of an instance that has just begun."""
    config = settings(tmp_path)
    broker = Broker(config, lambda: config, store=store)
    words = SetUp("By the proxy", "so", ("curl",))
    return State(
        broker, Collector(), Instance("1.0", 2, lambda _: "", lambda _: (words,))
    )


def told(text: str | None) -> list[tuple[str, object]]:
    """Take a text of the stream apart."""
    assert text is not None
    messages = [each.split("\n") for each in text.split("\n\n") if each]
    return [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in messages
    ]


async def joined(feed: Feed) -> Reader:
    """Join where there is room."""
    reader = await feed.join()
    assert reader is not None
    return reader


async def test_the_state_is_whole(state: State):
    """What the contract of the page has, with a profile of each kind."""
    state.known(exchanged(1))
    state.known(exchanged(2))
    await state.refresh()
    document = state.document()
    assert set(document) == {
        *("now", "instance", "troubles", "profiles", "lives", "marks", "requests"),
        "setup",
    }
    assert document["instance"]["workers"] == 2
    assert [each["name"] for each in document["profiles"]] == ["app", "person", "token"]
    assert [each["id"] for each in document["requests"]] == ["id-2", "id-1"]
    assert document["setup"][0]["lines"] == ["curl"]
    assert "hush" not in json.dumps(document)


async def test_the_default_is_the_one_that_is_decided_by(state: State):
    """The file's at first, then the one that a person made it."""

    def default() -> list[str]:
        return [each["name"] for each in state.profiles() if each["is_default"]]

    await state.refresh()
    assert default() == ["app"]
    state._broker.use("person")
    assert default() == ["person"]


async def test_a_store_that_fails_is_told_and_the_last_state_stays(
    state: State, store: Store
):
    """Until it is there again."""
    await state.refresh()
    store.gone = True
    await state.refresh()
    assert [each["text"] for each in state.troubles()] == ["the disk is gone"]
    assert len(state.profiles()) == 3
    store.gone = False
    await state.refresh()
    assert state.troubles() == []


async def test_each_request_is_told_once(state: State):
    """To those who were there, and to who comes later as a part of the whole."""
    feed = Feed(state)
    state.known(exchanged(1))
    first = await joined(feed)
    ((name, document),) = told(await first.next(0))
    assert name == "state"
    assert [each["id"] for each in document["requests"]] == ["id-1"]
    state.known(exchanged(2))
    second = await joined(feed)
    messages = dict(told(await first.next(0)))
    assert [each["id"] for each in messages["requests"]] == ["id-2"]
    ((_, document),) = told(await second.next(0))
    assert [each["id"] for each in document["requests"]] == ["id-2", "id-1"]
    await feed.tick(0.0)
    for reader in (first, second):
        text = await reader.next(0)
        assert "event: requests" not in (text or "")
    feed.close()


async def test_only_what_changes_is_told(state: State):
    """Nothing happens: nothing is said but pings."""
    feed = Feed(state)
    reader = await joined(feed)
    await feed.tick(0.0)
    await reader.next(0)
    await feed.tick(1.0)
    assert await reader.next(0) == PING
    state.known(renewed(state.now))
    await feed.tick(2.0)
    messages = dict(told(await reader.next(0)))
    assert set(messages) == {"profiles", "lives"}
    feed.close()


async def test_bytes_that_are_no_text_blind_nobody(state: State):
    """A path of such bytes is told to readers and in the state as it is."""
    feed = Feed(state)
    reader = await joined(feed)
    told(await reader.next(0))
    path = b"/2.0/\xff\xed\xa0\x80".decode("utf-8", "surrogateescape")
    state.known(exchanged(1, path=path, view=view(path=path)))
    await feed.tick(0)
    text = await reader.next(0)
    assert text is not None
    assert told(text.encode().decode())[0][1][0]["path"] == path
    assert json.loads(as_json(state.document()).body)["requests"][0]["path"] == path
    feed.close()


@pytest.mark.parametrize(
    "sent",
    [
        {"path": "/" + "\x01" * (PATH - 1)},
        {"method": "\x01" * METHOD, "view": view(method="\x01" * METHOD)},
        {"rejected": "a", "challenge": '"' * 4_000},
    ],
)
async def test_no_client_makes_the_state_too_long_for_readers(
    state: State, sent: dict[str, object]
):
    """A full memory of requests told at full length is told to who opens the page."""
    now = state.now
    for number in range(2 * MOST):
        state.known(exchanged(number, **sent, at=now))
    feed = Feed(state)
    reader = await joined(feed)
    ((name, document),) = told(await reader.next(0))
    assert name == "state"
    assert len(document["requests"]) == MOST
    feed.close()


async def test_a_slow_reader_is_dropped():
    """What waits for it is bounded; it is told nothing any more."""
    reader = Reader()
    for _ in range(1000):
        reader.put("x" * 10_000)
    assert await reader.next(0) is None


async def test_readers_are_limited_and_ended(state: State):
    """Who comes when it is full is not let in; in the end all are told to go."""
    feed = Feed(state)
    readers = await asyncio.gather(*(feed.join() for _ in range(READERS + 5)))
    joined = [each for each in readers if each is not None]
    assert len(joined) == READERS
    feed.leave(joined.pop())
    again = await feed.join()
    assert again is not None
    assert await feed.join() is None
    feed.close()
    assert {await each.next(0) for each in (*joined, again)} == {None}
    feed.leave(again)
    assert await feed.join() is None


async def test_who_gives_up_joining_takes_no_place(state: State, store: Store):
    """A page that is closed before it has the state makes room for another."""
    feed, tasks = Feed(state), Tasks()
    with store.held():
        joining = [tasks.spawn(feed.join(), name="join") for _ in range(READERS)]
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            assert await feed.join() is None
        for each in joining:
            each.cancel()
        await asyncio.wait(joining)
    assert await feed.join() is not None
    feed.close()


async def test_a_token_does_not_move_by_itself(state: State):
    """Its end is where it was, though two clocks are compared each time."""
    state.known(renewed(AT))
    await state.refresh()
    before = [each["expires_at"] for each in state.profiles()]
    await state.refresh()
    assert [each["expires_at"] for each in state.profiles()] == before
