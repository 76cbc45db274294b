"""
Processes of everbearer that are killed at a point of a renewal, one after another.

    PYTHONPATH=tests kill_worker.py KIND FOLDER CONFIG

Each line on stdin is a JSON object: a scenario, the seed of a grant, and a point at
which the process that plays it ends by SIGKILL, null for none. It is a process of
its own, forked from this one, which has imported everything and done nothing. Each
line on stdout is the JSON that it told, with its exit status as "status".

What runs is everbearer's own; only its store and its token endpoint are wrapped, so
that every call of them is a step with a name, and every function of everbearer's
renewal and stores that is called within a step is a point: a new one is covered
without being named here. The looks into the store that a timer sets off are none:
they change nothing, and how many there are is a matter of how fast the machine is.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from random import SystemRandom
from typing import Any

import httpx

from everbearer.errors import EverbearerError, StoreError
from everbearer.renewal.clock import SystemClock
from everbearer.renewal.endpoint import TokenEndpoint
from everbearer.renewal.manager import TokenManager
from everbearer.secret import Secret
from everbearer.settings.load import load
from everbearer.tasks import Tasks
from stores.places import SHARED

WATCHED = ("/everbearer/renewal/", "/everbearer/stores/")
REPEATED = 3
"""From the so manieth call of a step on they have one name."""


COMMIT = "commit"
"""The point in the midst of a SQLite commit."""

_BY_THE_WAY: ContextVar[bool] = ContextVar("by the way", default=False)
"""Set in the task that looks into the store twice a second, whatever else happens."""

# Processes of their own: SQLite's locks are a process's, whatever its connections.
_READER = """
import sqlite3, sys
reader = sqlite3.connect(sys.argv[1])
reader.execute("BEGIN")
reader.execute("SELECT * FROM records").fetchone()
print(flush=True)
sys.stdin.read()
"""
_KILLER = """
import os, signal, sqlite3, sys
prober = sqlite3.connect(sys.argv[1], timeout=0)
try:
    while True:
        prober.execute("SELECT * FROM records").fetchone()
except sqlite3.OperationalError:
    os.kill(int(sys.argv[2]), signal.SIGKILL)
"""


def kill_in_commit(database: Path) -> list[subprocess.Popen[bytes]]:
    """
    Let another process read, so that a commit has to wait in its midst.

    From then on no new reader is let in: by that a third one sees it, and kills us.
    """
    pipe = subprocess.PIPE
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, database], stdin=pipe, stdout=pipe
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    killer = [sys.executable, "-c", _KILLER, database, str(os.getpid())]
    return [reader, subprocess.Popen(killer)]


class Steps:
    """The name of the step that runs, every point that is met, and the end at one."""

    def __init__(self, end_at: list[str] | None) -> None:
        self.end_at = end_at
        self.met: dict[tuple[str, str], None] = {}
        self.armed = False
        self.step = "begin"
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def arm(self) -> None:
        """Begin; what ran before was preparation."""
        self.armed = True
        self.enter("renewal asked for")

    def enter(self, step: str) -> None:
        """Go on to another step."""
        self.step = step
        self.point("-")

    def name(self, call: str) -> str:
        """Return the name of a call: which one it is of its kind."""
        if not self.armed:
            return call
        count = self._counts[call] = self._counts.get(call, 0) + 1
        return f"{call} {count}" if count < REPEATED else f"{call} {REPEATED}+"

    def point(self, where: str) -> None:
        """Note a point, and end the process if it is the one."""
        if not self.armed:
            return
        with self._lock:
            self.met[self.step, where] = None
            if self.end_at == [self.step, where]:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    def trace(self, frame, event, argument):
        """Take each call of a function of everbearer's for a point."""
        del event, argument
        if _BY_THE_WAY.get():
            return
        elsewhere = self.end_at is not None and self.end_at[0] != self.step
        code = frame.f_code
        if not self.armed or elsewhere or code.co_name.startswith("<"):
            return
        if any(part in code.co_filename for part in WATCHED):
            self.point(code.co_qualname)


class Stepped:
    """A store whose calls are steps; some of them fail instead."""

    def __init__(
        self, inner: Any, database: Path, steps: Steps, failing: set[str]
    ) -> None:
        self._inner = inner
        self._database = database
        self._steps = steps
        self._failing = failing
        self.copied = asyncio.Event()

    def __getattr__(self, call: str) -> Any:
        method = getattr(self._inner, call)

        async def awaited(*arguments, **options):
            task = asyncio.current_task()
            if task is not None and task.get_name().startswith("keep "):
                _BY_THE_WAY.set(True)  # for all that it does from now on
                return await method(*arguments, **options)
            name = self._steps.name(call)
            self._steps.enter(f"in {name}")
            if self._steps.end_at == [f"in {name}", COMMIT]:
                self._around = kill_in_commit(self._database)
            try:
                if self._steps.armed and self._fails(call, arguments):
                    raise StoreError("the disk is full")
                return await method(*arguments, **options)
            finally:
                if call == "rescue":
                    self.copied.set()
                self._steps.enter(f"after {name}")

        return awaited if inspect.iscoroutinefunction(method) else method

    @asynccontextmanager
    async def exclusive(self, key):
        """Hold the lock; taking it and letting go of it are steps."""
        name = self._steps.name("lock")
        self._steps.enter(f"in {name}")
        async with self._inner.exclusive(key):
            self._steps.enter(f"holding {name}")
            yield
            self._steps.enter(f"in release of {name}")
        self._steps.enter(f"after {name}")

    def _fails(self, call, arguments) -> bool:
        if call == "save":
            # What brings a token has no intent any more.
            return "save" in self._failing and arguments[1].intent is None
        return call in self._failing


class Common:
    """What is the same for all processes, and takes its time to make."""

    def __init__(self, kind: str, folder: str, config: str) -> None:
        self.settings = load(Path(config), os.environ)
        self.place = SHARED[kind](Path(folder))
        self.clock = SystemClock()
        self.endpoint = TokenEndpoint(self.settings.network, self.clock)
        authority = self.settings.network.ca_file
        self.context = ssl.create_default_context(cafile=authority)


class Process:
    """One process of everbearer, with one profile."""

    def __init__(self, common: Common, steps: Steps, told: dict) -> None:
        self.told = told
        self.steps = steps
        self.common = common
        self.clock = common.clock
        self.settings = common.settings
        self.place = common.place
        self.tasks = Tasks()

    def start(self, seed: str, failing: set[str]) -> None:
        """Start it for the grant with that seed."""
        profile = self.settings.profiles["dev"]
        grant = replace(profile.grant, refresh_token=Secret(seed))
        key = replace(profile.key, identity=grant.identity)
        self.key = key
        self.store = Stepped(
            self.place.open(), self.place.database, self.steps, failing
        )
        endpoint = self.common.endpoint

        async def ask(url, form):
            name = self.steps.name("token request")
            self.steps.enter(f"in {name}")
            try:
                return await endpoint(url, form)
            finally:
                self.steps.enter(f"after {name}")

        self.manager = TokenManager(
            replace(profile, grant=grant, key=key),
            store=self.store,
            endpoint=ask,
            clock=self.clock,
            random=SystemRandom(),
            publish=lambda _: None,
            tasks=self.tasks,
        )

    async def use(self, token) -> int:
        """Send a request to the API, and return its status."""
        network = self.settings.network
        dialled = network.dialled("api.box.com", 443)
        async with httpx.AsyncClient(
            verify=self.common.context, trust_env=False
        ) as client:
            answer = await client.get(
                f"https://{dialled.host}:{dialled.port}/2.0/users/me",
                headers={
                    "Host": "api.box.com",
                    "Authorization": f"Bearer {token.value.reveal()}",
                },
                extensions={"sni_hostname": "api.box.com"},
            )
        return answer.status_code

    async def request(self) -> int:
        """Do as the proxy does with a request: one replay after a 401."""
        token = await self.manager.credential()
        status = await self.use(token)
        if status == 401:
            status = await self.use(await self.manager.recover(token.fingerprint))
        return status

    async def first_use(self, token) -> None:
        """Use a token that is new, as a step."""
        self.steps.enter("in first use")
        self.told["status of first use"] = await self.use(token)
        self.steps.enter("after first use")

    async def stop(self) -> None:
        """Stop as a proxy does."""
        self.steps.enter("in stop")
        await self.manager.stop()
        await self.tasks.drain()
        await self.store.close()
        self.steps.enter("after stop")


async def renew(process: Process) -> None:
    """Renew, use the new token, stop: nothing fails."""
    assert await process.request() == 200
    process.steps.arm()
    await process.first_use(await process.manager.renew())
    await process.stop()


async def renew_without_saving(process: Process) -> None:
    """Fail to save, not to write the copy; ask for its token after a 401, stop."""
    assert await process.request() == 200
    old = await process.manager.credential()
    process.steps.arm()
    process.manager._depart("asked", forced=True)
    await process.store.copied.wait()
    await process.first_use(await process.manager.recover(old.fingerprint))
    await process.stop()


async def renew_without_any_disk(process: Process) -> None:
    """Neither the save nor the copy succeeds, until the process is killed."""
    assert await process.request() == 200
    process.steps.arm()
    process.manager._depart("asked", forced=True)
    await process.store.copied.wait()
    process.steps.enter("with the new token in memory alone")
    os.kill(os.getpid(), signal.SIGKILL)


async def leave_a_copy(process: Process) -> None:
    """Prepare: a process that could not save is killed with its copy on disk."""
    assert await process.request() == 200
    process.steps.armed = True
    process.manager._depart("asked", forced=True)
    await process.store.copied.wait()
    os.kill(os.getpid(), signal.SIGKILL)


async def take_in(process: Process) -> None:
    """Start where another process left a copy, serve, stop."""
    process.steps.arm()
    token = await process.manager.credential()
    await process.first_use(token)
    while process.manager._flight is not None:
        await process.manager._flight.landing(30)
    await process.first_use(await process.manager.credential())
    await process.stop()


async def succeed(process: Process) -> None:
    """Start after the kill: serve a request, renew, serve another."""
    on_disk = process.place.open()
    record = await on_disk.load(process.key)
    copies = (await on_disk.rescued(process.key)).copies
    await on_disk.close()
    for each in (record, *(copy.record for copy in copies[:1])):
        if each is not None and each.refresh_token is not None:
            process.told["on disk"] = each.refresh_token.reveal()
    try:
        process.told["first"] = await process.request()
        token = await process.manager.renew()
        process.told["renewed"] = await process.use(token)
        process.told["outcome"] = "works"
    except EverbearerError as error:
        process.told["outcome"] = error.code
        process.told["message"] = f"{error.message}; {error.hint}"
    await process.stop()


SCENARIOS = {
    "renew": (renew, set()),
    "save fails": (renew_without_saving, {"save"}),
    "no disk": (renew_without_any_disk, {"save", "rescue"}),
    "leave a copy": (leave_a_copy, {"save"}),
    "take in": (take_in, set()),
    "succeed": (succeed, set()),
}


def play(command: dict, common: Common, out: int) -> None:
    """Play a scenario; what it tells goes to *out*."""
    told: dict = {}
    steps = Steps(command["end_at"])
    scenario, failing = SCENARIOS[command["scenario"]]
    threading.settrace(steps.trace)
    sys.settrace(steps.trace)

    async def whole() -> None:
        process = Process(common, steps, told)
        process.start(command["seed"], failing)
        await scenario(process)

    if command["end_at"] is None:
        # The points of one that ends by itself are told bit by bit.
        point = steps.point

        def telling(where: str) -> None:
            step = steps.step
            new = steps.armed and (step, where) not in steps.met
            point(where)
            if new:
                os.write(out, json.dumps([step, where]).encode() + b"\n")

        steps.point = telling
    asyncio.run(whole())
    os.write(out, json.dumps(told).encode() + b"\n")


def main() -> None:
    """Fork a process for each command, and tell what came of it."""
    common = Common(*sys.argv[1:])
    for line in sys.stdin:
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            try:
                play(json.loads(line), common, theirs)
                os._exit(0)
            except BaseException:  # noqa: BLE001 -- told by the parent's status
                sys.excepthook(*sys.exc_info())
                os._exit(1)
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            words = [json.loads(each) for each in pipe]
        _, status = os.waitpid(child, 0)
        told = words.pop() if words and isinstance(words[-1], dict) else {}
        told["points"] = words
        told["exit"] = os.waitstatus_to_exitcode(status)
        print(json.dumps(told), flush=True)  # noqa: T201 -- the answer


if __name__ == "__main__":
    main()
