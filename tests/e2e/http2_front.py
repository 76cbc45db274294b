"""A server that speaks HTTP/2 and has the sandbox behind it: a stock mitmdump."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mitmproxy.http import HTTPFlow

if TYPE_CHECKING:  # as a script it is loaded where there is no harness
    from harness import Place, Sandbox


class Length:
    """
    Gives every request its Content-Length, as mitmproxy's script.

    HTTP/2 needs none, and mitmproxy would hand the body to the sandbox unframed.
    """

    def request(self, flow: HTTPFlow) -> None:
        """Count what has arrived whole, since nothing is streamed here."""
        content = flow.request.raw_content or b""
        flow.request.headers["content-length"] = str(len(content))


addons = [Length()]


def config_behind_http2(
    place: Place, sandbox: Sandbox, *, streaming: bool = False
) -> Path:
    """Start the server; return a configuration with `http2` that leads to it."""
    confdir = place.root / "http2-front"
    front = place.run(
        *(sys.executable, "-c"),
        "from mitmproxy.tools.main import mitmdump; mitmdump()",
        *("--mode", f"reverse:https://127.0.0.1:{sandbox.port}@127.0.0.1:0"),
        *("--set", f"confdir={confdir}", "--set", "ssl_insecure=true"),
        *("--set", "keep_host_header=true", "--set", "connection_strategy=lazy"),
        *(("--set", "stream_large_bodies=1m") if streaming else ("-s", __file__)),
    )
    port = front.wait_for(r"listening at 127\.0\.0\.1:(\d+)")[1]
    name = "http2-streaming" if streaming else "http2"
    config = sandbox.config(name, "\n[proxy]\nhttp2 = true\n", "client_credentials")
    text = config.read_text()
    authority = confdir / "mitmproxy-ca-cert.pem"
    text = text.replace('ca_file = "ca.pem"', f'ca_file = "{authority}"')
    config.write_text(
        text.replace(f'"127.0.0.1:{sandbox.port}"', f'"127.0.0.1:{port}"')
    )
    return config
