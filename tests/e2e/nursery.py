"""
Processes of everbearer that need not load everything again.

Most of a process's start is loading mitmproxy. One process a test run has loaded it
and does nothing else; it forks for each process that is wanted, with that one's own
arguments, environment, folder and outputs. What it forks is a process like any
other: it is killed, waited for and measured as such. Only `/proc` shows the
arguments of the first; whoever looks there starts one in full.

    python nursery.py SOCKET MODULE...    is that one process
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import random
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULES = ("everbearer", "everbearer.sandbox")
"""What can be forked, as `python -m MODULE`."""

LOADED = (
    "everbearer.broker",
    "everbearer.cli.banner",
    "everbearer.cli.event_lines",
    "everbearer.cli.main",
    "everbearer.cli.private",
    "everbearer.cli.serve",
    "everbearer.cli.served",
    "everbearer.cli.set_up",
    "everbearer.cli.watched",
    "everbearer.proxy.launcher",
    "everbearer.proxy.options",
    "everbearer.proxy.speed.turns",
    "everbearer.sandbox.server",
    "everbearer.stores.sqlite",
    "anyio._backends._asyncio",
    "filelock",
    "httpcore",
    "httpx",
    "mitmproxy.tools.dump",
)
NOT_HERE = {"COVERAGE_PROCESS_START", "EVERBEARER_FULL_START"}
"""Variables that are heeded when modules are loaded: who has one starts in full."""


class Forked:
    """A child of the nursery, as `subprocess.Popen` shows its own."""

    def __init__(self, line: socket.socket, pid: int, args: list[str]) -> None:
        self._line = line
        self.pid, self.args = pid, args
        self.returncode: int | None = None
        self.stdout = None

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; TimeoutExpired as Popen's."""
        if self.returncode is not None:
            return self.returncode
        self._line.settimeout(timeout if timeout is None else max(timeout, 0.000_001))
        try:
            word = self._line.recv(16)
        except TimeoutError:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0) from None
        if not word:
            raise RuntimeError("the nursery has ended")
        self._line.close()
        self.returncode = int(word)
        return self.returncode

    def may_have_children(self) -> bool:
        """Tell whether a process may run that one of its threads has started."""
        told = []
        for each in Path(f"/proc/{self.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # the thread has ended
                told.append(each.read_text())
        return not told or any(told)

    def send_signal(self, number: int) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class Nursery:
    """The process that forks; it ends with whoever made this."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nursery-")
        self._socket = str(Path(self._folder.name) / "s")
        keep = ("PATH", "LANG", "HOME")
        env = {name: os.environ[name] for name in keep if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, __file__, self._socket],
            env=env | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
        )
        while not Path(self._socket).exists():
            if self._process.poll() is not None:
                raise RuntimeError("the nursery did not start")
            time.sleep(0.02)

    def start(self, args: list[str], env: dict[str, str], cwd: Path) -> Forked:
        """Fork a process of `python -m MODULE ARGS`; its outputs are `stdout`."""
        reading, writing = os.pipe()
        forked = self._fork(args, env, cwd, writing, writing)
        os.close(writing)
        forked.stdout = os.fdopen(
            reading, encoding="utf-8", errors="replace", buffering=1
        )
        return forked

    def run(
        self, args: list[str], env: dict[str, str], cwd: Path, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Fork such a process and wait for its end, as `subprocess.run` does."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            forked = self._fork(args, env, cwd, out.fileno(), err.fileno())
            try:
                code = forked.wait(timeout)
            except subprocess.TimeoutExpired:
                forked.kill()
                forked.wait()
                raise
            said = [os.pread(each.fileno(), 1 << 24, 0).decode() for each in (out, err)]
        return subprocess.CompletedProcess(args, code, *said)

    def _fork(
        self, args: list[str], env: dict[str, str], cwd: Path, *outputs: int
    ) -> Forked:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.connect(self._socket)
        wish = json.dumps([args, env, str(cwd)]).encode()
        socket.send_fds(line, [wish], outputs)
        return Forked(line, int(line.recv(16)), args)

    def close(self) -> None:
        """End it; what it has forked is ended by its own tests."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


@functools.cache
def nursery() -> Nursery:
    """Return the one of this test process."""
    made = Nursery()
    atexit.register(made.close)
    return made


def may_be_forked(command: list[str], env: dict[str, str]) -> bool:
    """Tell whether a command is one that the nursery can play."""
    return (
        command[:2] == [sys.executable, "-m"]
        and command[2] in MODULES
        and not NOT_HERE & env.keys()
    )


def _serve(path: str) -> None:
    """Fork what is asked for, until stdin is closed."""
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what all share is walked through by none
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{path}.new")
    listener.listen(64)
    Path(f"{path}.new").rename(path)
    chosen = selectors.DefaultSelector()
    chosen.register(0, selectors.EVENT_READ)
    chosen.register(listener, selectors.EVENT_READ)
    children: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for key, _ in chosen.select():
            if key.fd == 0:
                return
            if key.fileobj is listener:
                line, _ = listener.accept()
                wish, outputs, _, _ = socket.recv_fds(line, 1 << 20, 2)
                pid = os.fork()
                if pid == 0:
                    chosen.close()
                    listener.close()
                    line.close()
                    for other, kept in children.items():
                        os.close(other)
                        kept[1].close()
                    _become(*json.loads(wish), outputs)
                    return
                for output in outputs:
                    os.close(output)
                line.send(str(pid).encode())
                pidfd = os.pidfd_open(pid)
                children[pidfd] = (pid, line)
                chosen.register(pidfd, selectors.EVENT_READ)
            else:
                pid, line = children.pop(key.fd)
                chosen.unregister(key.fd)
                os.close(key.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(OSError):  # whose test has ended
                    line.send(str(code).encode())
                line.close()


def _become(args: list[str], env: dict[str, str], cwd: str, outputs: list[int]) -> None:
    """Be `python -m MODULE ARGS` from here on, to its end."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, output in enumerate(outputs, 1):
        os.dup2(output, number)
        os.close(output)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    random.seed()
    sys.argv = ["-m", *args[1:]]
    runpy.run_module(args[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
