"""A proxy between the sandbox, where tokens belong, and a server where none does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import Place, Proxy, Sandbox, Stock
from hostile_row import API, Ports, Row
from ports import unused_port
from upstream_proxy import UpstreamProxy
from wrong_server import WrongServer

HERE = Path(__file__).parent
LISTENERS = """
[[listeners]]
address = "127.0.0.1:8080"

[[listeners]]
address = "127.0.0.1:{port}"
reverse = "https://api.box.com"
"""


@dataclass
class Outcome:
    """What a hostile request led to."""

    answer: str
    arrived: int
    """Requests that came to the sandbox with a token."""
    betrayed: bool
    """Whether any secret came to the wrong server."""


@dataclass
class Stage:
    """One proxy and both servers."""

    sandbox: Sandbox
    wrong: WrongServer
    proxy: Proxy | Stock
    reverse: int

    def play(self, row: Row) -> Outcome:
        """Send the row's requests."""
        self.sandbox.forget()
        before = len(self.wrong.received())
        answer = row.send(Ports(self.proxy.port, self.reverse, self.wrong.port))
        return Outcome(answer, self.arrived(), self.betrayed(before))

    def arrived(self) -> int:
        """Return how many requests came to the sandbox with a token."""
        return sum(entry["authorization_count"] for entry in self.sandbox.requests())

    def betrayed(self, since: int = 0) -> bool:
        """Tell whether the wrong server got any secret that there is."""
        secrets = self.sandbox.call("GET", "secrets")
        canaries = [
            *secrets["tokens"],
            *secrets["client_secrets"],
            secrets["passphrase"],
        ]
        received = self.wrong.received()[since:]
        return any(canary.encode() in received for canary in canaries)


@contextlib.contextmanager
def staged(
    root: Path,
    *scripts: str,
    stock: bool = False,
    more: str = "",
    by_upstream: bool = False,
) -> Iterator[Stage]:
    """
    Start everything, in a network where only Box's own address is right.

    *scripts* are loaded into the proxy, *more* is added to its configuration.
    *by_upstream* leads everything by another proxy in place of `connect_to`.
    """
    place = Place(root)
    with contextlib.ExitStack() as stack:
        stack.callback(place.close)
        sandbox = Sandbox(place)
        wrong = WrongServer(root)
        stack.callback(wrong.close)
        reverse = unused_port()
        config = configuration(sandbox, wrong, reverse, more)
        if by_upstream:
            upstream = UpstreamProxy(
                {
                    "api.box.com:443": ("127.0.0.1", sandbox.port),
                    "evil.test:443": ("127.0.0.1", wrong.port),
                }
            )
            stack.callback(upstream.close)
            lead_by(upstream, config)
        loaded = [
            word
            for script in ("wrong_network.py", *scripts)
            for word in ("-s", str(HERE / script))
        ]
        env = {"EVERBEARER_WRONG_SERVER": str(wrong.port)}
        proxy: Proxy | Stock
        if stock:
            modes = (
                *("--listen-host", "127.0.0.1", "--mode", "regular"),
                *("--mode", f"reverse:https://{API}@127.0.0.1:{reverse}"),
            )
            proxy = Stock(place, config, *loaded, *modes, **env).ready()
            proxy.process.wait_for(rf"listening at 127\.0\.0\.1:{reverse}\b")
        else:
            proxy = Proxy(place, config, mitmproxy=tuple(loaded), **env)
        for script in ("wrong_network.py", *scripts):
            proxy.process.wait_for(f"^{script} is in force")
        yield Stage(sandbox, wrong, proxy, reverse)


def configuration(
    sandbox: Sandbox,
    wrong: WrongServer,
    reverse: int,
    more: str = "",
    source: str = "client_credentials",
) -> Path:
    """Write a configuration that trusts the wrong server's certificate as well."""
    both = (sandbox.state / "ca.pem").read_text() + wrong.authority
    (sandbox.state / "both.pem").write_text(both)
    listeners = LISTENERS.format(port=reverse)
    config = sandbox.config("hostile", listeners + more, source)
    config.write_text(config.read_text().replace('"ca.pem"', '"both.pem"'))
    return config


def lead_by(upstream: UpstreamProxy, config: Path) -> None:
    """Put the other proxy where `connect_to` was."""
    head, _, rest = config.read_text().partition("[network.connect_to]\n")
    _, listeners, rest = rest.partition("\n[[listeners]]")
    proxy = f'[network]\nupstream_proxy = "http://127.0.0.1:{upstream.port}"'
    config.write_text(head.replace("[network]", proxy) + listeners + rest)
