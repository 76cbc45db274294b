"""Real processes for end-to-end tests: a sandbox, a proxy, clients."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from needs import need, need_proc
from nursery import Forked, may_be_forked, nursery
from ports import unused_port

START = 40.0
"""Seconds a process may take to be ready on a busy machine."""


class Process:
    """A child whose lines are read as they come; it dies with its test."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: Path) -> None:
        self.command = command
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        self.child = self._started(command, env, cwd)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @staticmethod
    def _started(
        command: list[str], env: dict[str, str], cwd: Path
    ) -> subprocess.Popen[str] | Forked:
        if may_be_forked(command, env):
            return nursery().start(command[2:], env, cwd)
        return subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            bufsize=1,
        )

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.lines.append(line.rstrip("\n"))
            self._new.put(line)
        self._new.put(None)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, timeout: float = START) -> re.Match[str]:
        """Wait for a line that matches; fail with everything that was said."""
        deadline = threading.Event()
        timer = threading.Timer(timeout, deadline.set)
        timer.start()
        try:
            while True:
                if match := re.search(pattern, self.output, re.MULTILINE):
                    return match
                try:
                    line = self._new.get(timeout=0.2)
                except queue.Empty:
                    line = ""
                if line is None or deadline.is_set():
                    if match := re.search(pattern, self.output, re.MULTILINE):
                        return match
                    raise AssertionError(
                        f"no {pattern!r} from {self.command}:\n{self.output}"
                    )
        finally:
            timer.cancel()

    def stop(self, how: int = signal.SIGTERM) -> int:
        """End the child and return its exit code."""
        if self.child.poll() is None:
            self.child.send_signal(how)
        try:
            return self.child.wait(40)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"did not stop:\n{self.output}") from None
        finally:
            self._reader.join(5)
            assert self.child.stdout is not None
            self.child.stdout.close()

    def end(self) -> None:
        """End the child when nobody looks at it any more."""
        if isinstance(self.child, Forked) and not self.child.may_have_children():
            self.stop(signal.SIGKILL)
        else:
            # It may have others to end, or its coverage to save.
            with contextlib.suppress(AssertionError):
                self.stop()

    def rss(self) -> int:
        """Return the resident memory in bytes."""
        return self._memory("VmRSS")

    def peak(self) -> int:
        """Return the highest resident memory so far in bytes."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> int:
        processes = need_proc(Path("/proc/self")).parent
        status = (processes / str(self.child.pid) / "status").read_text()
        return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024


@dataclass
class Answer:
    """What curl got: status 0 means no answer at all."""

    status: int
    fields: dict[str, str]
    body: bytes
    exit_code: int
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Place:
    """A folder of its own, an environment of its own, and what runs in it."""

    root: Path
    processes: list[Process] = field(default_factory=list)
    ending: list[Callable[[], None]] = field(default_factory=list)
    """What else is to end with it, after its processes."""

    @property
    def env(self) -> dict[str, str]:
        keep = ("PATH", "LANG", "COVERAGE_PROCESS_START", "SSL_CERT_FILE")
        env = {name: os.environ[name] for name in keep if name in os.environ}
        return env | {
            "HOME": str(self.root / "home"),
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            "PYTHONWARNDEFAULTENCODING": "0",
            # Nothing of a test belongs into a person's own keyring.
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }

    def run(self, *command: str, **env: str) -> Process:
        (self.root / "home").mkdir(exist_ok=True)
        process = Process(list(command), self.env | env, self.root)
        self.processes.append(process)
        return process

    def everbearer(
        self, *arguments: str, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of everbearer to its end."""
        (self.root / "home").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "everbearer", *arguments]
        env = self.env | env
        if may_be_forked(command, env):
            return nursery().run(command[2:], env, self.root, 60)
        return subprocess.run(
            command,
            env=env,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def close(self) -> None:
        for process in reversed(self.processes):
            process.end()
        for end in reversed(self.ending):
            end()


class Sandbox:
    """A sandbox process and its control API."""

    def __init__(self, place: Place, *arguments: str, state: str = "sandbox") -> None:
        self.place = place
        self.state = place.root / state
        self.process = place.run(
            sys.executable,
            "-m",
            "everbearer.sandbox",
            "--port",
            "0",
            "--state",
            str(self.state),
            *arguments,
        )
        ready = self.process.wait_for(r"ready on 127\.0\.0\.1:(\d+)")
        self.port = int(ready[1])
        self.control = json.loads((self.state / "control.json").read_text())["control"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the control API."""
        request = urllib.request.Request(
            f"{self.control}/_sandbox/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def requests(self, **match: object) -> list[dict[str, Any]]:
        """Return what was asked, narrowed to the given members."""
        everything = self.call("GET", "requests")["requests"]
        return [r for r in everything if all(r.get(k) == v for k, v in match.items())]

    def forget(self) -> None:
        self.call("DELETE", "requests")

    def token_requests(self) -> list[dict[str, Any]]:
        return self.requests(path="/oauth2/token")

    def wait(self, count: int = 1, **question: object) -> list[dict[str, Any]]:
        """Wait until *count* matching requests came to a phase ("arrived")."""
        query = urllib.parse.urlencode({"count": count, "timeout": START, **question})
        return self.call("GET", f"requests/wait?{query}")["requests"]

    def statuses(self, path: str) -> list[int]:
        """Return what was answered to the requests for *path*, in their order."""
        return [entry["status"] for entry in self.requests(path=path)]

    def revoke(self, **chosen: str) -> int:
        """Make access tokens invalid at once; refresh tokens stay."""
        return self.call("POST", "tokens/revoke", chosen)["revoked"]

    def hold(self, **match: object) -> int:
        """Hold matching requests until `release` gets the number returned."""
        return self.fault({"hold": True}, **match)["id"]

    def release(self, fault: int) -> None:
        """Let go what a fault holds, and end it."""
        self.call("POST", "release", {"id": fault})

    def config(self, name: str, more: str = "", source: str = "all") -> Path:
        """Write a configuration of the sandbox's own with more TOML at its end."""
        path = self.state / f"{name}.toml"
        path.write_text((self.state / f"{source}.toml").read_text() + more)
        path.chmod(0o600)
        return path

    def fault(self, effect: dict[str, object], **match: object) -> Any:
        times = match.pop("times", None)
        return self.call(
            "POST", "faults", {"match": match, "times": times, "effect": effect}
        )


class Proxy:
    """`everbearer serve` with a sandbox's configuration."""

    def __init__(
        self,
        place: Place,
        config: Path,
        *arguments: str,
        mitmproxy: tuple[str, ...] = (),
        listen: str = "127.0.0.1:0",
        listening: str = "127.0.0.1",
        program: tuple[str, ...] = ("-m", "everbearer"),
        **env: str,
    ) -> None:
        self.confdir = place.root / "mitmproxy"
        command = [sys.executable, *program, "serve", "-c", str(config)]
        if listen:
            command += ["--listen", listen]
        command += [*arguments, "--", "--set", f"confdir={self.confdir}", *mitmproxy]
        self.process = place.run(*command, **env)
        ready = self.process.wait_for(
            rf"listening on {re.escape(listening)}:(\d+), as a proxy"
        )
        self.port = int(ready[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        return self.confdir / "mitmproxy-ca-cert.pem"

    def reverse_port(self) -> int:
        return int(
            self.process.wait_for(r"listening on 127\.0\.0\.1:(\d+), in place of")[1]
        )

    def curl(self, *arguments: str, timeout: float = 60) -> Answer:
        """Ask by the explicit proxy."""
        return curl(
            "-x", self.url, "--cacert", str(self.ca), *arguments, timeout=timeout
        )


def curl(*arguments: str, timeout: float = 60) -> Answer:
    """Run curl and take its answer apart; the last answer's head, if several."""
    need("curl")
    done = subprocess.run(
        ["curl", "-sS", "-i", "--max-time", str(timeout), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        timeout=timeout + 20,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    status, fields, body = 0, {}, done.stdout
    while body.startswith(b"HTTP/"):
        head, _, body = body.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        fields = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if lines[0].lower().endswith("connection established"):
            status, fields = 0, {}
    return Answer(
        status, fields, body, done.returncode, done.stderr.decode(errors="replace")
    )


class Stock:
    """One of mitmproxy's own commands with `-s addon/inject.py`."""

    def __init__(
        self,
        place: Place,
        config: Path,
        *arguments: str,
        program: str = "mitmdump",
        script: Path | None = None,
        **env: str,
    ) -> None:
        inject = Path(__file__).parents[2] / "addon" / "inject.py"
        self.confdir = place.root / "mitmproxy"
        # mitmproxy itself knows no port 0 that it would tell of afterwards.
        self.port = unused_port()
        command = [
            str(Path(sys.executable).with_name(program)),
            *("-s", str(script or inject)),
            *("--set", f"everbearer_config={config}"),
            *("--set", f"confdir={self.confdir}"),
            *("--listen-port", str(self.port)),
            *arguments,
        ]
        self.process = place.run(*command, **env)

    def ready(self) -> Stock:
        """Wait until it listens on loopback alone."""
        self.process.wait_for(rf"listening at 127\.0\.0\.1:{self.port}\b")
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        return self.confdir / "mitmproxy-ca-cert.pem"

    def curl(self, *arguments: str, timeout: float = 60) -> Answer:
        """Ask by the explicit proxy."""
        return curl(
            "-x", self.url, "--cacert", str(self.ca), *arguments, timeout=timeout
        )
