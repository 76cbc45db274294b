"""A proxy between a client and a server that a test plays both."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from by_hand import PATIENCE, ByHand, Line
from harness import Place, Proxy, Sandbox
from ports import unused_port
from raw_client import Reply, connected

HOST = "upload.box.com"
OPAQUE = "elsewhere.test"
PATH = "/api/2.0/files/content"
WAYS = ("explicit", "reverse")


@dataclass
class Flowing:
    """One proxy, and the server that it has behind it."""

    sandbox: Sandbox
    proxy: Proxy
    server: ByHand
    reverse: int

    @contextlib.contextmanager
    def client(self, way: str = "explicit") -> Iterator[Line]:
        """Connect by one of `WAYS`, or "opaque", through which no rule looks."""
        host = OPAQUE if way == "opaque" else HOST
        connect = f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode()
        made = (
            connected(self.reverse)
            if way == "reverse"
            else connected(self.proxy.port, connect=connect, sni=host)
        )
        with made as channel:
            assert not isinstance(channel, Reply), channel
            channel.settimeout(PATIENCE)
            yield Line(channel)

    def head(self, way: str, method: str, *fields: str) -> bytes:
        """Return the head of a request as a client of that way sends it."""
        host = f"127.0.0.1:{self.reverse}" if way == "reverse" else HOST
        lines = [f"{method} {PATH} HTTP/1.1", f"Host: {host}", *fields, "", ""]
        return "\r\n".join(lines).encode()


@contextlib.contextmanager
def flowing(root: Path, more: str = "", **env: str) -> Iterator[Flowing]:
    """Start them; *more* is added to the proxy's configuration, *env* is its own."""
    place = Place(root)
    with contextlib.ExitStack() as stack:
        stack.callback(place.close)
        sandbox = Sandbox(place)
        server = ByHand(sandbox.state / "server.pem")
        stack.callback(server.close)
        reverse = unused_port()
        listeners = (
            '\n[[listeners]]\naddress = "127.0.0.1:8080"\n[[listeners]]\n'
            f'address = "127.0.0.1:{reverse}"\nreverse = "https://{HOST}"\n{more}'
        )
        config = sandbox.config("flowing", listeners, "client_credentials")
        led, here = "[network.connect_to]\n", f'"127.0.0.1:{server.port}"'
        text = config.read_text().replace(
            f'"{HOST}:443" = "127.0.0.1:{sandbox.port}"', f'"{HOST}:443" = {here}'
        )
        config.write_text(text.replace(led, f'{led}"{OPAQUE}:443" = {here}\n'))
        proxy = Proxy(place, config, **env)
        # What comes first has to wait for the token, and is not what is tested.
        assert proxy.curl("https://api.box.com/2.0/users/me").status == 200
        yield Flowing(sandbox, proxy, server, reverse)


def chunk(data: bytes) -> bytes:
    """Return *data* as one chunk of HTTP/1.1; the last one where it is empty."""
    return b"%x\r\n%s\r\n" % (len(data), data)
