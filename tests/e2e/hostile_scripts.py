"""Scripts that move a request after everbearer has seen it, or before."""

from __future__ import annotations

from typing import Final

from hostile_row import moved, tunnel

SCRIPTS: Final = (
    # Before everbearer: it judges what the script made of the request.
    moved("requestheaders", "host", "421 misdirected"),
    moved("requestheaders", "only_host", "421 misdirected"),
    moved("requestheaders", "port", "421 wrong_port"),
    moved("requestheaders", "plain", "403 insecure_scheme"),
    moved("requestheaders", "path", "501 box", leaks=False),
    moved("requestheaders", "field", "421 misdirected"),
    moved("requestheaders", "authority", "421 misdirected"),
    moved("requestheaders", "url", "421 misdirected"),
    # Names nothing of Box any more:
    moved("requestheaders", "host", "200 wrong", absolutely=True, leaks=False),
    moved("requestheaders", "url", "200 wrong", absolutely=True, leaks=False),
    # Behind it: the request has its token already.
    *(
        moved("request", what, "500 request_moved", absolutely=absolutely)
        for what in ("host", "only_host", "port", "plain", "path", "field", "url")
        for absolutely in (False, True)
    ),
    moved("request", "authority", "500 request_moved"),
    moved("request", "via", "500 request_moved", absolutely=True),
    # mitmproxy does not look at it any more, or does not let it be changed:
    moved("request", "server", "200 box", absolutely=True, token=True, leaks=False),
    moved("request", "via", "200 box", token=True, leaks=False),
    tunnel(
        "script: address in server_connect",
        "api.box.com:443",
        connect_fields=("X-Move: server_connect address",),
        answer="421 misdirected",
    ),
    # The option is refused, and the request is like any other:
    *(
        moved("option", what, "200 box", token=True, leaks=False)
        for what in ("ssl_insecure", "map_remote", "map_local", "modify_headers")
    ),
)
