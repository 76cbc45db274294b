"""A mitmproxy script that tells after how long an idle connection would be ended."""

from mitmproxy import ctx


class Idle:
    """Prints it for every connection."""

    def client_connected(self, client):
        """Tell it."""
        handler = ctx.master.addons.get("proxyserver").connections[client.id]
        print(f"ended after {handler.timeout_watchdog.timeout} s", flush=True)  # noqa: T201 - tests wait for it


addons = [Idle()]
