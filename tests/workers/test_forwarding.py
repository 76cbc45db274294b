"""Events of other workers, told to the first."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from everbearer.events import Event, Exchanged, Renewed
from everbearer.policy.view import Authorization, Existing, ListenerView, RequestView
from everbearer.subscribers import Subscribers
from everbearer.workers.forwarding import AllWorkers, Forwarding, Receiving, pair

pytestmark = pytest.mark.real

VIEW = RequestView(
    scheme="https",
    host="api.box.com",
    port=443,
    verified_name="api.box.com",
    method="GET",
    path="/2.0/x",
    listener=ListenerView.at("127.0.0.1", 8080, "", "dev"),
    authorization=Authorization(Existing.OURS, "3f2a", frozenset({"dev"})),
)


def request(number: int, path: str = "/2.0/x") -> Exchanged:
    """Return a request that has ended, with what was decided about."""
    return Exchanged(
        *(float(number), "GET", "api.box.com", path, 200, "dev", "inject", "fresh"),
        0.01,
        id=str(number),
        view=VIEW,
    )


class Heard:
    """The first worker's end, and what came."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.lost = 0
        reading, self.writing = pair()
        self.receiving = Receiving(reading, [self.events.append], self._lose)
        self._reading = reading

    def _lose(self, count: int) -> None:
        self.lost += count

    def all(self) -> list[Event]:
        """Take everything that is there."""
        before = -1
        while before != len(self.events):
            before = len(self.events)
            self.receiving.receive()
        return self.events

    def close(self) -> None:
        self._reading.close()
        self.writing.close()


@pytest.fixture
def heard():
    """Give somebody who listens."""
    found = Heard()
    yield found
    found.close()


async def test_events_arrive_as_they_were(heard: Heard):
    """In their order and whole, what was decided about included."""
    sent = [request(n) for n in range(100)] + [Renewed(1.0, "dev", "first", "f", 2, 3)]
    forwarding = Forwarding(heard.writing)
    for event in sent:
        forwarding(event)
    forwarding.send()
    assert heard.all() == sent
    assert heard.lost == 0


async def test_nobody_waits_where_nobody_reads(heard: Heard):
    """What does not fit is lost, and told with the next that arrives."""
    forwarding = Forwarding(heard.writing)
    count = 50_000
    for number in range(count):
        forwarding(request(number, f"/{number}/" + "x" * 1000))
        if number % 1000 == 0:
            forwarding.send()
    forwarding.send()
    arrived = len(heard.all())
    assert 0 < arrived < count
    forwarding(request(count))
    forwarding.send()
    assert len(heard.all()) == arrived + 1
    assert heard.lost == count - arrived


async def test_what_waits_is_bounded(heard: Heard):
    """A loop that never comes to send does not fill the memory."""
    forwarding = Forwarding(heard.writing)
    for number in range(10_000):
        forwarding(request(number))
    forwarding.send()
    arrived = len(heard.all())
    forwarding(request(1))
    forwarding.send()
    heard.all()
    assert heard.lost == 10_000 - arrived
    assert arrived <= 4096


async def test_events_too_large_for_one_datagram_go_in_several(heard: Heard):
    """Those with long paths; one that fits into none is lost."""
    forwarding = Forwarding(heard.writing)
    long = [request(n, "/" + "x" * 60_000) for n in range(8)]
    for event in [*long, request(9, "/" + "x" * 8_000_000)]:
        forwarding(event)
        forwarding.send()
        heard.all()
    for event in long:
        forwarding(event)
    forwarding.send()
    heard.all()
    assert heard.events == [*long, *long]
    assert heard.lost == 1


class Roomy:
    """A kernel that takes datagrams of any size."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, datagram: bytes) -> int:
        self.sent.append(datagram)
        return len(datagram)


async def test_no_datagram_is_larger_than_its_reader_has_room_for():
    """Whatever the kernel takes: several are sent, an event too large is lost."""
    roomy = Roomy()
    forwarding = Forwarding(roomy)
    sent = [request(n, "/" + "x" * 80_000) for n in range(16)]
    for event in [*sent, request(16, "/" + "x" * 1_100_000), request(17)]:
        forwarding(event)
    forwarding.send()
    forwarding(request(18))
    forwarding.send()
    assert max(map(len, roomy.sent)) <= 1 << 20
    told = [pickle.loads(each) for each in roomy.sent]
    assert [event for _, events in told for event in events] == [
        *sent,
        request(17),
        request(18),
    ]
    assert sum(lost for lost, _ in told) == 1


async def test_what_cannot_be_read_does_not_end_the_reading(heard: Heard):
    """The next one is read."""
    heard.writing.send(b"nonsense")
    heard.writing.send(pickle.dumps((0, [request(1)])))
    assert heard.receiving.receive() is None
    assert heard.all() == [request(1)]


async def test_all_workers_are_heard_in_the_first():
    """Its own events at once, those of others soon; and others keep nothing."""
    workers = AllWorkers(2)
    first, second = Subscribers(), Subscribers()
    told: list[Event] = []
    came = asyncio.Event()

    def see(event: Event) -> None:
        told.append(event)
        if len(told) == 3:
            came.set()

    with (
        workers.told(first.subscribe, 1, [see], lambda _: None),
        workers.told(second.subscribe, 2, [see], lambda _: None),
    ):
        first.publish(request(1))
        assert told == [request(1)]
        second.publish(request(2))
        second.publish(request(3))
        async with asyncio.timeout(20):
            await came.wait()
    assert told == [request(1), request(2), request(3)]
    workers.close()


async def test_what_a_worker_has_gathered_is_sent_when_it_ends():
    """Its last requests count as well."""
    workers = AllWorkers(2)
    first, second = Subscribers(), Subscribers()
    told: list[Event] = []
    came = asyncio.Event()

    def see(event: Event) -> None:
        told.append(event)
        came.set()

    with workers.told(first.subscribe, 1, [see], lambda _: None):
        with workers.told(second.subscribe, 2, [see], lambda _: None):
            second.publish(request(2))
        async with asyncio.timeout(20):
            await came.wait()
    assert told == [request(2)]
    workers.close()
