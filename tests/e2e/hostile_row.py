"""One hostile request, and how it is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from raw_client import ask

API: Final = "api.box.com"
ME: Final = "/2.0/users/me"


@dataclass(frozen=True)
class Ports:
    """Where to send a row: the explicit proxy and the reverse listener."""

    proxy: int
    reverse: int
    wrong: int


@dataclass(frozen=True)
class Row:
    """
    One hostile request; `send` returns what came back.

    `answer` is what the client gets: a status and who says so (a code of
    everbearer's, "box" for the sandbox, "wrong" for the wrong server, "mitmproxy"),
    or "closed". `token` marks the odd but honest rows: there, and only there, a
    token arrives at the sandbox, once. `leaks` says that the same request does get
    a token out of the right way once the checks are taken out (`no_checks.py`).
    `stock` is the answer in stock mitmproxy where that differs.
    """

    name: str
    send: Callable[[Ports], str]
    answer: str
    token: bool = False
    leaks: bool = True
    stock: str = ""


def request(
    target: str = ME,
    host: str | None = API,
    *fields: str,
    method: str = "GET",
    version: str = "1.1",
    body: str = "",
) -> str:
    """Return a request as it goes over the wire; `{wrong}` and the like are ports."""
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    return "\r\n".join([*lines, *fields, "", body])


def tunnel(
    name: str,
    target: str,
    *requests: str,
    answer: str,
    sni: str | None = API,
    connect_fields: tuple[str, ...] = (),
    token: bool = False,
    leaks: bool = True,
) -> Row:
    """Make a row that goes through CONNECT *target*; `sni=None`: without TLS."""

    def send(ports: Ports) -> str:
        connect = request(target, target, *connect_fields, method="CONNECT")
        return str(
            ask(
                ports.proxy,
                *(_wire(text, ports) for text in requests or (request(),)),
                connect=_wire(connect, ports),
                sni=sni,
            )
        )

    return Row(name, send, answer, token, leaks)


def absolute(
    name: str, *requests: str, answer: str, token: bool = False, leaks: bool = True
) -> Row:
    """Make a row that names its server in each request, without CONNECT."""

    def send(ports: Ports) -> str:
        return str(ask(ports.proxy, *(_wire(text, ports) for text in requests)))

    return Row(name, send, answer, token, leaks)


def reverse(
    name: str,
    *requests: str,
    answer: str,
    sni: str | None = None,
    token: bool = False,
    leaks: bool = True,
) -> Row:
    """Make a row that goes to the reverse listener."""

    def send(ports: Ports) -> str:
        wire = (_wire(text, ports) for text in requests)
        return str(ask(ports.reverse, *wire, sni=sni))

    return Row(name, send, answer, token, leaks)


def path(name: str, target: str, answer: str, *, leaks: bool = True) -> Row:
    """Make a row with a path that some servers read as one without a token."""
    return tunnel(name, "api.box.com:443", request(target), answer=answer, leaks=leaks)


def _wire(text: str, ports: Ports) -> bytes:
    for name in ("proxy", "reverse", "wrong"):
        text = text.replace("{" + name + "}", str(getattr(ports, name)))
    return text.encode()


def moved(
    hook: str,
    what: str,
    answer: str,
    *,
    absolutely: bool = False,
    token: bool = False,
    leaks: bool = True,
) -> Row:
    """Make a row that `moving_script.py` moves in a hook; `absolutely`: no CONNECT."""
    name = f"script: {what} in {hook}"
    fields = (API, f"X-Move: {hook} {what}")
    # In stock mitmproxy the script stands behind everbearer, which takes the token
    # out again.
    stock = "500 request_moved" if hook == "requestheaders" else ""
    if absolutely:
        sent = request(f"https://{API}{ME}", *fields)
        row = absolute(f"{name}, absolute", sent, answer=answer)
    else:
        row = tunnel(name, f"{API}:443", request(ME, *fields), answer=answer)
    return replace(row, token=token, leaks=leaks, stock=stock)
