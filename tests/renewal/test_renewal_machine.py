"""
Renewal as a state machine, against a server that keeps Box's rules or stricter ones.

Three processes on one store; between any two steps the server may revoke, refuse,
lose answers, a process may crash in the middle of whatever it does, one disk or
both may be full, time may pass, the wall clock jump and the machine sleep.
"""

from __future__ import annotations

import asyncio
import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from everbearer.errors import (
    EverbearerError,
    GrantError,
    ReauthorizationRequired,
    StoreError,
)
from everbearer.stores.memory import Memory
from renewal.bench import Bench
from renewal.model_server import (
    HTML,
    LOST,
    MASKED,
    REFUSED,
    SEED,
    SPOILT,
    TRUNCATED,
    ModelServer,
    unavailable,
)
from renewal.virtual_time import FakeClock, VirtualLoop

FAULTS = [unavailable(), unavailable(409), unavailable(429, "3")]
FAULTS += [HTML, LOST, MASKED, REFUSED, SPOILT, TRUNCATED]
PROCESSES = st.sampled_from([0, 1, 2])
SECONDS = st.sampled_from([0.05, 1.0, 31.0, 70.0, 1800.0, 3310.0, 3592.0, 3700.0])
COPIES = st.sampled_from([0, 0, 3, 12])
INSTANTS = st.floats(0.0, 0.5)


class RenewalMachine(RuleBasedStateMachine):
    """What holds whatever happens: see the invariants and `heal`."""

    strict = False

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.server = ModelServer(
            FakeClock(self.loop), strict=self.strict, on_reuse=self.check_reuse
        )
        self.interrupted = False
        self.memory = Memory()
        self.saved: set[str] = set()
        self.processes = [self.start() for _ in range(3)]
        self.jumped = False

    def start(self) -> Bench:
        """Start a process on the common store."""
        bench = Bench(server=self.server, memory=self.memory)
        bench.store.saved_tokens = self.saved
        bench.refused = set()
        return bench

    @property
    def granted(self) -> bool:
        """The server would still give a token for some refresh token."""
        return bool(self.server.usable)

    @property
    def reachable(self) -> bool:
        """One that it would give a token for is on disk."""
        key = self.processes[0].profile.key
        records = [self.memory.records.get(key), *self.memory.rescued.get(key, ())]
        on_disk = {SEED} if not any(records) else set()
        for record in filter(None, records):
            on_disk.add(record.refresh_token.reveal() if record.refresh_token else SEED)
            on_disk |= {token.reveal() for token in record.earlier_refresh_tokens}
        return bool(on_disk & set(self.server.usable))

    @property
    def in_memory(self) -> bool:
        """A process has redeemed, and no disk takes what came; or it is on its way."""
        return any(bench.manager._source.redeeming for bench in self.processes)

    def check_reuse(self) -> None:
        """Find what a strict server is sent twice lost anyway."""
        assert self.interrupted, "a spent refresh token was sent again without need"
        assert not self.reachable, "the refresh token that follows was on disk"

    def wait[T](self, work) -> T:
        """Run *work*."""
        return self.loop.run_until_complete(work)

    async def request(self, bench: Bench) -> int:
        """One client's request; checks every token that it is given."""
        token = bench.manager.ready(bench.clock.now())
        token = token or await bench.manager.credential()
        for _ in range(2):
            value = token.value.reveal()
            assert value in self.saved, "used before it was saved"
            assert value not in bench.refused, "known to be dead"
            assert bench.clock.now() < token.expires_at, "after its end"
            status = self.server.use(value)
            if status == 200:
                return status
            bench.refused.add(value)
            token = await bench.manager.recover(token.fingerprint)
        return status

    @rule(process=PROCESSES, clients=st.integers(1, 20))
    def use(self, process, clients) -> None:
        """Clients ask at the same time; without faults one token request serves."""
        bench = self.processes[process]
        quiet = not (self.server.faults or bench.store.failing_saves)
        quiet = quiet and not bench.record.trouble
        before = bench.calls
        work = [self.request(bench) for _ in range(clients)]
        ends = self.wait(gather(work))
        if quiet and self.granted and self.reachable and not self.jumped:
            assert not any(isinstance(end, EverbearerError) for end in ends)
            # One for the token found dead in memory, one for that in the store.
            assert bench.calls - before <= 2
        for end in ends:
            assert end in {200, 401} or isinstance(end, GrantError | StoreError)

    @rule(process=PROCESSES)
    def renew(self, process) -> None:
        """Somebody runs the command."""
        with contextlib.suppress(GrantError, StoreError):
            self.wait(self.processes[process].manager.renew())

    @precondition(lambda self: self.server.alive)
    @rule()
    def revoke(self) -> None:
        """Revoke the newest access token; its refresh token lives."""
        self.server.revoke(next(reversed(self.server.alive)))

    @rule(faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4))
    def fail(self, faults) -> None:
        """Let the next token requests go wrong."""
        self.server.faults.extend(faults)
        # What a spoilt answer brings is kept; of a lost one nothing is known.
        self.interrupted |= any(fault.redeem and not fault.spoils for fault in faults)

    @rule(
        process=PROCESSES,
        spared=st.integers(0, 2),
        failing=st.integers(1, 12),
        copies=COPIES,
    )
    def fill_disk(self, process, spared, failing, copies) -> None:
        """Let some of the next saves fail, and some of the copies."""
        store = self.processes[process].store
        store.spared_saves, store.failing_saves = spared, failing
        store.failing_rescues = copies

    @rule(process=PROCESSES, failing=st.integers(1, 12), copies=COPIES, after=INSTANTS)
    def redeem_with_a_full_disk(self, process, failing, copies, after) -> None:
        """Ask for a token while the one just redeemed cannot be saved."""
        bench = self.processes[process]
        bench.store.failing_rescues = copies
        bench.store.spared_saves, bench.store.failing_saves = 1, failing
        asked = self.loop.create_task(gather([bench.manager.renew()]))
        self.wait(asyncio.sleep(0.2 + after))
        self.wait(gather([self.request(bench)]))
        self.wait(asked)
        self.free(bench)

    def free(self, bench: Bench) -> None:
        """Let what a process writes succeed."""
        bench.store.spared_saves = bench.store.failing_saves = 0
        bench.store.failing_rescues = 0

    @precondition(lambda self: self.server.alive and self.granted)
    @rule(clients=st.integers(1, 5))
    def race(self, clients) -> None:
        """Refuse the newest token to all processes at once: one redeem heals all."""
        self.heal()
        self.wait(asyncio.sleep(1))  # each has seen what the others saved
        if not self.reachable:
            return
        self.revoke()
        before = len(self.server.requests)
        # A refresh token that is not proven, and those before it.
        unproven = len(self.processes[0].record.earlier_refresh_tokens)
        work = [self.request(b) for b in self.processes for _ in range(clients)]
        ends = self.wait(gather(work))
        assert len(self.server.requests) - before <= 1 + unproven
        assert set(ends) == {200}

    @rule(seconds=SECONDS)
    def advance(self, seconds) -> None:
        """Time passes; timers and watchers do what they do."""
        self.wait(asyncio.sleep(seconds))

    @rule(process=PROCESSES, after=INSTANTS, asked=st.booleans())
    def crash(self, process, after, asked) -> None:
        """Kill a process in the middle of a request, and start another."""
        bench = self.processes[process]
        work = bench.manager.renew() if asked else self.request(bench)
        client = self.loop.create_task(gather([work]))
        self.wait(asyncio.sleep(after))
        # Redeemed, and on no disk: gone with the process.
        self.interrupted |= bench.manager._source.redeeming
        dying = [client, *bench.tasks._running]
        for task in dying:
            task.cancel()
        self.wait(asyncio.wait(dying))
        self.processes[process] = self.start()

    @rule()
    def heal(self) -> None:
        """All is well again: after the longest pause every process is served."""
        self.server.faults.clear()
        for bench in self.processes:
            self.free(bench)
        self.wait(asyncio.sleep(70))
        for bench in self.processes:
            # A request is replayed once; a token that died twice takes a second.
            ends = [self.wait(gather([self.request(bench)]))[0] for _ in range(2)]
            if self.reachable:
                assert ends[-1] == 200, ends
            elif ends[-1] != 200:
                assert isinstance(ends[-1], ReauthorizationRequired)
                assert not self.granted

    @rule(seconds=st.sampled_from([-3600.0, -60.0, 60.0, 3600.0]))
    def jump(self, seconds) -> None:
        """Set the wall clock, an hour off at most."""
        self.jumped = True
        skew = self.server.clock.skew + seconds
        self.server.clock.skew = min(max(skew, -3600.0), 3600.0)

    @rule(seconds=SECONDS)
    def sleep(self, seconds) -> None:
        """Close the lid: time passes, and no timer is heard before it is over."""
        self.loop.passed += seconds

    @precondition(lambda self: self.granted)
    @rule(really=st.sampled_from([False, False, False, True]))
    def end_grant(self, really) -> None:
        """Take the consent away."""
        if really:
            self.server.end_grant()

    @invariant()
    def a_usable_refresh_token_is_on_disk(self) -> None:
        """Nothing is lost that the server has not taken away."""
        if self.granted and not self.in_memory:
            assert self.reachable or self.interrupted

    def teardown(self) -> None:
        """Stop: everything ends, nothing is left in the loop."""
        self.server.faults.clear()
        for bench in self.processes:
            self.free(bench)
            self.wait(bench.stop())
        assert not asyncio.all_tasks(self.loop)
        self.loop.close()


async def gather(work) -> list[object]:
    """Return the results and the errors that are ours; raise others."""

    async def caught(one):
        try:
            return await one
        except EverbearerError as error:
            return error

    return await asyncio.gather(*map(caught, work))


class StrictMachine(RenewalMachine):
    """The same against a server that takes a refresh token once."""

    strict = True


RenewalMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
StrictMachine.TestCase.settings = RenewalMachine.TestCase.settings
TestRenewal = RenewalMachine.TestCase
TestRenewalStrictly = StrictMachine.TestCase
