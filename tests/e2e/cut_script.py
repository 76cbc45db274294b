"""A mitmproxy script that makes the proxy cut clients' redeems off after 4 s."""

import sys

from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from everbearer.renewal import client_redeem

client_redeem.ANSWER_PATIENCE = 4.0


class Telling:
    """Tells, for a test that waits for it."""

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        sys.stdout.write(f"cutting: {data.server.id} has ended\n")
        sys.stdout.flush()


addons = [Telling()]
