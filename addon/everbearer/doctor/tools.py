"""
How tools are made to connect as their users' commands do, and what they say.

Each connects to the port on loopback where a certificate of the proxy's CA is
shown for `host`, checks it by its own rules and the user's environment, and says
nothing if it is content. No tool sends a request, or one that no proxy of ours lets
out, and none is asked to look away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.policy.hosts import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """Where a tool connects; `leaf` is the file of the certificate shown there."""

    host: str
    port: int
    leaf: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Tool:
    """
    One way to check certificates.

    `program` is looked up on PATH. It ends with 0 when it trusts; `absent` matches
    what it says where it cannot try at all. `spared` is why it is no harm that it
    does not trust mitmproxy's CA, or the own one; "" where it is harm.
    """

    name: str
    program: str
    arguments: Callable[[Target], tuple[str, ...]]
    fix: str
    absent: str = r"(?!)"
    spared: str = ""
    spared_own: str = ""

    def cannot(self, said: str) -> str:
        """Return why it cannot try, "" where it did."""
        found = re.search(self.absent, said)
        return found[0].strip() if found else ""


def _curl(target: Target) -> tuple[str, ...]:
    # --noproxy: the user's proxy is not what is asked about. A curlrc counts.
    return (
        *("--silent", "--show-error", "--noproxy", "*", "--max-time", "10"),
        *("--connect-to", f"{target.host}:443:127.0.0.1:{target.port}"),
        *("--header", f"Host: {NOWHERE}"),
        *("--output", "/dev/null", f"https://{target.host}/"),
    )


# What lies in the current folder is no module of Python's.
_SSL: Final = """
import sys
sys.path[:] = [each for each in sys.path if each]
import socket, ssl
host, port = sys.argv[1], int(sys.argv[2])
try:
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        ssl.create_default_context().wrap_socket(plain, server_hostname=host).close()
except OSError as error:
    sys.exit(str(error))
"""

# requests has its own authorities (certifi's), and its own variables.
_REQUESTS: Final = """
import sys
sys.path[:] = [each for each in sys.path if each]
import os, socket
try:
    import requests
except ImportError:
    sys.exit("requests is not installed")
host, port = sys.argv[1], int(sys.argv[2])
there = socket.getaddrinfo("127.0.0.1", port, 0, socket.SOCK_STREAM)
socket.getaddrinfo = lambda *_, **__: there
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
try:
    nowhere = {"Host": "everbearer.invalid"}
    requests.get(f"https://{host}/", headers=nowhere, timeout=10)
except requests.RequestException as error:
    while error.__context__ is not None:  # the wrappers' words are long
        error = error.__context__
    sys.exit(str(error))
"""

_NODE: Final = """
const [host, port] = process.argv.slice(1);
const socket = require("tls").connect(
  { host: "127.0.0.1", port: Number(port), servername: host },
  () => {
    if (!socket.authorized) console.error(String(socket.authorizationError));
    process.exitCode = socket.authorized ? 0 : 1;
    // To exit at once would keep the handshake's last word from the server.
    socket.end();
  },
);
socket.on("close", () => process.exit());
socket.on("error", (error) => { console.error(error.message); process.exit(1); });
socket.setTimeout(10000, () => { console.error("no answer"); process.exit(1); });
"""

_JAVA: Final = """
import java.net.Socket;
import javax.net.ssl.*;

public class Trust {
  public static void main(String[] given) {
    try (Socket plain = new Socket("127.0.0.1", Integer.parseInt(given[1]))) {
      plain.setSoTimeout(10000);
      SSLSocket socket = (SSLSocket) ((SSLSocketFactory) SSLSocketFactory.getDefault())
          .createSocket(plain, given[0], 443, true);
      SSLParameters parameters = socket.getSSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      socket.setSSLParameters(parameters);
      socket.startHandshake();
    } catch (Exception error) {
      System.err.println(error.getMessage());
      System.exit(1);
    }
  }
}
"""


def _java(target: Target) -> tuple[str, ...]:
    source = target.folder / "Trust.java"
    source.write_bytes(_JAVA.encode())
    return (str(source), target.host, str(target.port))


def _openssl(target: Target) -> tuple[str, ...]:
    return ("verify", "-verify_hostname", target.host, str(target.leaf))


_BY_EXEC: Final = 'run it by: everbearer exec -- {}, or first: eval "$(everbearer env)"'

TOOLS: Final = (
    Tool("curl", "curl", _curl, _BY_EXEC.format("curl …")),
    Tool(
        "python ssl",
        "python3",
        lambda t: ("-c", _SSL, t.host, str(t.port)),
        _BY_EXEC.format("python3 …"),
    ),
    Tool(
        "python requests",
        "python3",
        lambda t: ("-c", _REQUESTS, t.host, str(t.port)),
        _BY_EXEC.format("python3 …"),
        absent="requests is not installed",
    ),
    Tool(
        "node",
        "node",
        lambda t: ("-e", _NODE, t.host, str(t.port)),
        _BY_EXEC.format("node …"),
    ),
    Tool(
        "java",
        "java",
        _java,
        _BY_EXEC.format("java …"),
        # A JRE: only a JDK runs a source file.
        absent=r"(?i).*(?:module jdk\.compiler|Could not find or load main class).*",
    ),
    Tool(
        "system",
        "openssl",
        _openssl,
        "",
        # Whoever reads the CA's key could be any server to everything here.
        spared="not trusted, which is safest: trust it tool by tool; for tools that"
        ' ask only the system write ca = "own" under [proxy]',
        spared_own="not trusted, which most tools do well without; for those that ask"
        " only the system: everbearer ca --install",
    ),
)
