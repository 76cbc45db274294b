"""What every measurement stands on: a sandbox, its authority, a token, folders."""

from __future__ import annotations

import shutil
import socket
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmark import meter, nginx
from benchmark.lines import MeasureError
from benchmark.origin_process import Origin
from harness import START, Place, Process, Sandbox
from ports import unused_port

API = "api.box.com"


@dataclass
class Stage(Place):
    """A place whose processes all start in full: their start is measured too."""

    began: int = field(default=0, init=False)

    @property
    def env(self) -> dict[str, str]:
        temporary = self.root / "temporary"
        temporary.mkdir(exist_ok=True)
        own = {"EVERBEARER_FULL_START": "1", "TMPDIR": str(temporary)}
        return super().env | own

    def folder(self, name: str) -> Path:
        """Make a new folder for a process."""
        self.began += 1
        made = self.root / f"{self.began}-{name}"
        made.mkdir()
        return made

    @cached_property
    def sandbox(self) -> Sandbox:
        """The token endpoint, whose authority certifies every server here."""
        return Sandbox(self)

    @property
    def trust(self) -> nginx.Trust:
        """What the resource servers are certified with."""
        state = self.sandbox.state
        return nginx.Trust(state / "server.pem", state / "ca.pem")

    def clear(self) -> None:
        """End all that runs; what comes next begins anew."""
        self.close()
        self.processes.clear()
        self.__dict__.pop("sandbox", None)
        for left in self.root.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()

    def wait_listening(self, process: Process, *ports: int) -> None:
        """Wait until a process listens on these ports."""
        self.wait_until(process, lambda: all(map(listens, ports)))

    def wait_for_file(self, process: Process, path: Path) -> None:
        """Wait until a process has written a file."""
        self.wait_until(process, lambda: path.exists() and path.stat().st_size > 0)

    def wait_until(self, process: Process, there: Callable[[], bool]) -> None:
        """Wait for what a process does at its start."""
        deadline = time.monotonic() + START
        while not there():
            if process.child.poll() is not None or time.monotonic() > deadline:
                raise MeasureError(
                    f"{process.command} did not start:\n{process.output}"
                )
            time.sleep(0.005)

    def config(
        self,
        api: int,
        listeners: tuple[int, int],
        rules: str = "",
    ) -> Path:
        """
        Write a configuration with client credentials and both kinds of listener.

        *api* is the port of who plays the API's host. All with the same one share
        a token: their store is the same.
        """
        state = self.sandbox.state
        given = tomllib.loads((state / "client_credentials.toml").read_text())
        ccg = given["profiles"]["ccg"]
        proxy, reverse = listeners
        text = f"""
[profiles.ccg]
provider = "box"
grant = "client_credentials"
client_id = "{ccg["client_id"]}"
client_secret = {{ file = "{state / "ccg_client_secret.txt"}" }}
subject = {{ type = "enterprise", id = "{ccg["subject"]["id"]}" }}

[[listeners]]
address = "127.0.0.1:{proxy}"

[[listeners]]
address = "127.0.0.1:{reverse}"
reverse = "https://{API}"
{rules}
[store]
url = "sqlite:{self.root / "tokens.db"}"
key = {{ file = "{self.root / "store.key"}" }}

[network]
ca_file = "{state / "ca.pem"}"
connect_to = {{ "{API}:443" = "127.0.0.1:{api}" }}
"""
        path = self.folder("configuration") / "config.toml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    def token(self, config: Path) -> str:
        """Return the token that whoever has this configuration will send."""
        done = self.everbearer("token", "-c", str(config))
        if done.returncode:
            raise MeasureError(f"there is no token: {done.stderr}")
        return done.stdout.strip()


@dataclass
class Server:
    """A resource server on localhost that wants *token*."""

    process: Process
    port: int
    token: str

    def cpu(self) -> float | None:
        """Return the CPU seconds it has used."""
        return meter.cpu(self.process.child.pid) if meter.THERE else None


def resource_server(stage: Stage) -> Server:
    """Start nginx, or where that is not installed the small one of our own."""
    if nginx.program() is None:
        origin = Origin(stage)
        token = stage.token(stage.config(origin.port, two_ports()))
        return Server(origin.process, origin.port, token)
    port = unused_port()
    trust, sandbox = stage.trust, stage.sandbox.port
    # One that nobody satisfies, to get the token that then satisfies the next.
    process = nginx.resource_server(stage, trust, port, sandbox, "none")
    stage.wait_listening(process, port)
    token = stage.token(stage.config(port, two_ports()))
    process.stop()
    process = nginx.resource_server(stage, trust, port, sandbox, token)
    stage.wait_listening(process, port)
    return Server(process, port, token)


def listens(port: int) -> bool:
    """Tell whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def two_ports() -> tuple[int, int]:
    """Return a port for an explicit proxy and one for a reverse listener."""
    return unused_port(), unused_port()
