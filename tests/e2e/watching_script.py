"""A mitmproxy script that tells what happens, for tests that wait for it."""

import sys

from mitmproxy.connection import Client
from mitmproxy.http import HTTPFlow


def tell(what: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"watching: {what}\n")
    sys.stdout.flush()


class Watching:
    """Its hooks come before those of everbearer."""

    def requestheaders(self, flow: HTTPFlow) -> None:
        tell(f"asked {flow.request.path}")

    def client_disconnected(self, client: Client) -> None:
        tell(f"left {client.peername[1]}")

    def done(self) -> None:
        tell("stopping")


addons = [Watching()]
