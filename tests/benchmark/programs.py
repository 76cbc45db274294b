"""How each proxy is started, and by which ways requests go through it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark import meter
from benchmark.lines import Way, trusting
from benchmark.stage import API, Server, Stage, two_ports
from harness import Process

REVERSE = "http to a reverse listener"
CONNECT = "https by CONNECT, keep-alive"
ANEW = "https by CONNECT, each on a new connection"

HERE = "127.0.0.1"
BARE = "mitmdump -q"
TEN_LINES = f"{BARE}, ten-line script"
ADDON = f"{BARE} -s addon/inject.py"
SERVE = "everbearer serve -q"
WORKERS = "everbearer serve -q --workers 2"
INJECT = Path(__file__).parents[2] / "addon" / "inject.py"
SCRIPT = '''"""Ten lines that inject a token, as one would write them."""

from mitmproxy import http

TOKEN = "{token}"


def requestheaders(flow: http.HTTPFlow) -> None:
    if flow.request.host == "localhost":
        flow.request.headers["Authorization"] = f"Bearer {{TOKEN}}"
'''


@dataclass
class Contestant:
    """A running proxy, the ways through it, and its memory when it had started."""

    name: str
    process: Process
    ways: dict[str, Way]
    first: meter.Memory | None = None

    def cpu(self) -> float | None:
        """Return the CPU seconds it has used."""
        return meter.cpu(self.process.child.pid) if meter.THERE else None

    def memory(self) -> meter.Memory | None:
        """Return the memory it has."""
        return meter.memory(self.process.child.pid) if meter.THERE else None


@dataclass(frozen=True)
class Missing:
    """One that is not here, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Launch:
    """A command, where it listens, and whom it is asked for."""

    name: str
    command: tuple[str, ...]
    confdir: Path
    ports: tuple[int, ...]
    """Of the explicit proxy, and of the reverse listener where it has one."""
    target: str
    fields: str = ""

    def begin(self, stage: Stage) -> Process:
        """Start it, and wait for nothing."""
        return stage.run(*self.command)

    def start(self, stage: Stage) -> Contestant:
        """Start it, and wait until it listens and has its authority."""
        process = self.begin(stage)
        stage.wait_listening(process, *self.ports)
        stage.wait_for_file(process, self._certificate)
        return Contestant(self.name, process, self.ways())

    @property
    def _certificate(self) -> Path:
        return self.confdir / "mitmproxy-ca-cert.pem"

    def ways(self) -> dict[str, Way]:
        """Return the ways through it, once it has its authority."""
        proxy, *reverse = self.ports
        host = self.target.removesuffix(":443")
        trust = trusting(self._certificate)
        tunnel = Way((HERE, proxy), host, self.target, trust, self.fields)
        ways = {CONNECT: tunnel, ANEW: tunnel}
        for port in reverse:
            ways[REVERSE] = Way((HERE, port), f"{HERE}:{port}", fields=self.fields)
        return ways


def mitmdump(stage: Stage, server: int, *arguments: str) -> Launch:
    """Return mitmdump with no more than it needs to get to the server."""
    confdir = stage.folder("mitmdump")
    proxy, reverse = two_ports()
    command = (
        *(beside("mitmdump"), "-q", "--set", f"confdir={confdir}"),
        *("--set", f"ssl_verify_upstream_trusted_ca={stage.trust.authority}"),
        *("--mode", f"regular@{HERE}:{proxy}"),
        *("--mode", f"reverse:https://localhost:{server}@{HERE}:{reverse}"),
        *arguments,
    )
    return Launch(BARE, command, confdir, (proxy, reverse), f"localhost:{server}")


def script(stage: Stage, server: Server) -> Launch:
    """Return mitmdump with what most people would write."""
    path = stage.folder("script") / "inject_token.py"
    path.write_text(SCRIPT.format(token=server.token))
    launch = mitmdump(stage, server.port, "-s", str(path))
    return replace(launch, name=TEN_LINES)


def addon(stage: Stage, api: int) -> Launch:
    """Return mitmdump with our addon."""
    confdir, (proxy, reverse) = stage.folder("addon"), two_ports()
    config = stage.config(api, (proxy, reverse))
    command = (
        *(beside("mitmdump"), "-q", "-s", str(INJECT)),
        *("--set", f"everbearer_config={config}", "--set", f"confdir={confdir}"),
        # Without a mode among the arguments mitmproxy would first try port 8080.
        *("--mode", f"regular@{HERE}:{proxy}"),
        *("--mode", f"reverse:https://{API}@{HERE}:{reverse}"),
    )
    return Launch(ADDON, command, confdir, (proxy, reverse), f"{API}:443")


def serve(stage: Stage, api: int, *arguments: str, rules: str = "") -> Launch:
    """Return our own command."""
    confdir, ports = stage.folder("serve"), two_ports()
    config = stage.config(api, ports, rules)
    command = (
        *(sys.executable, "-m", "everbearer", "serve", "-c", str(config)),
        *(*arguments, "--", "--set", f"confdir={confdir}"),
    )
    name = " ".join(["everbearer serve", *arguments])
    return Launch(name, command, confdir, ports, f"{API}:443")


def sproxy(stage: Stage, server: Server) -> Launch | Missing:
    """Return the peer that is nearest in kind, where it is installed."""
    # Beside Python, then on PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = shutil.which("sproxy", path=path)
    if found is None:
        return Missing("sproxy", "not installed (pip install sproxy)")
    folder = stage.folder("sproxy")
    proxy, _ = two_ports()
    (folder / "config.yaml").write_text(
        f"ssl_verify_upstream_trusted_ca: {stage.trust.authority}\n"
    )
    policy = folder / "sproxy.toml"
    policy.write_text(
        f'mode = "enforce"\nport = {proxy}\nconfdir = "{folder}"\n'
        '[secrets.BENCH]\nallow_hosts = ["localhost"]\n'
        f'source = "literal:{server.token}"\n'
    )
    mitmdump = shutil.which("mitmdump", path=Path(found).resolve().parent)
    command = (
        *(found, "run", "-c", str(policy), "--no-reload"),
        *("--mitmdump", mitmdump or beside("mitmdump")),
    )
    target = f"localhost:{server.port}"
    fields = "Authorization: Bearer {{BENCH}}\r\n"
    return Launch("sproxy", command, folder, (proxy,), target, fields)


def beside(name: str) -> str:
    """Return a program of the environment that runs this."""
    return str(Path(sys.executable).with_name(name))
