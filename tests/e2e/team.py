"""A proxy of several processes, and clients that ask it all the time."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Place, Proxy
from needs import need_proc
from ports import unused_port
from tunnel import Tunnel

ME = "/2.0/users/me"
SCRIPT = str(Path(__file__).with_name("pid_script.py"))
PATIENCE = 40


class Team(Proxy):
    """A proxy of two workers."""

    def __init__(self, place: Place, config: Path, *arguments: str) -> None:
        super().__init__(
            *(place, config, "--workers", "2", *arguments),
            mitmproxy=("-s", SCRIPT),
            # Nobody else is given it when the team has left: that is looked at.
            listen=f"127.0.0.1:{unused_port()}",
        )
        self.complete()

    def complete(self, times: int = 1) -> None:
        """Wait until all of them serve, for the so manieth time."""
        self.process.wait_for(rf"(?s)(2 workers serve.*?){{{times}}}")

    def workers(self) -> set[int]:
        """Return the workers' numbers of process."""
        parent = self.process.child.pid
        task = need_proc(Path(f"/proc/{parent}/task/{parent}/children"))
        return set(map(int, task.read_text().split()))

    def server_of(self, tunnel: Tunnel) -> int:
        """Return who serves that connection."""
        answer = tunnel.ask("GET", ME)
        assert answer.status == 200
        return int(answer.fields["x-process"])


@contextlib.contextmanager
def one_of_each(team: Team) -> Iterator[dict[int, Tunnel]]:
    """Give a connection to each worker, by its number of process."""
    with contextlib.ExitStack() as stack:
        found: dict[int, Tunnel] = {}
        while set(found) != team.workers():
            tunnel = stack.enter_context(Tunnel(team))
            found.setdefault(team.server_of(tunnel), tunnel)
        yield found


class Asking:
    """Clients that ask all the time, and connect again where they are told to."""

    def __init__(self, team: Team, clients: int) -> None:
        self.count: Counter[str] = Counter()
        self._team = team
        self._end = threading.Event()
        self._enough = threading.Condition()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for each in self._threads:
            each.start()

    def _ask(self) -> None:
        while not self._end.is_set():
            with Tunnel(self._team) as tunnel:
                closes = False
                while not closes and not self._end.is_set():
                    what, closes = self._once(tunnel)
                    with self._enough:
                        self.count[what] += 1
                        self._enough.notify_all()

    def _once(self, tunnel: Tunnel) -> tuple[str, bool]:
        try:
            answer = tunnel.ask("GET", ME)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__, True
        return str(answer.status), answer.fields.get("connection") == "close"

    def more(self, count: int) -> None:
        """Wait for so many more answers."""
        with self._enough:
            enough = self.count["200"] + count
            assert self._enough.wait_for(lambda: self.count["200"] >= enough, PATIENCE)

    def end(self) -> Counter[str]:
        """Let the last ones end; return what was answered, and what was not."""
        self._end.set()
        for each in self._threads:
            each.join()
        return self.count


@contextlib.contextmanager
def asking(team: Team, clients: int) -> Iterator[Asking]:
    """Give clients that end with their test."""
    many = Asking(team, clients)
    try:
        yield many
    finally:
        many.end()


def refused(team: Team) -> None:
    """Wait until nobody is let in any more; who is, by one that leaves, goes soon."""
    for _ in range(400):
        try:
            tried = socket.create_connection(("127.0.0.1", team.port), PATIENCE)
        except ConnectionRefusedError:
            return
        # By one that stops, it is gone only with its worker: that is not waited for.
        tried.settimeout(0.1)
        with tried, contextlib.suppress(ConnectionResetError, TimeoutError):
            assert not tried.recv(1)
    pytest.fail("connections are accepted still")


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that is nobody's child here."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            assert select.select([handle], [], [], PATIENCE)[0]
        finally:
            os.close(handle)
