"""
Where a request really goes: every name it has must be the verified one.

A request names its destination up to six times (CONNECT, SNI, Host,
`:authority`, the address dialled, the certificate checked). Whoever can make
two of them differ has a token sent to one server in the name of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.policy.hosts import (
    HTTPS_PORT,
    NonAsciiHost,
    join_authority,
    normalise_host,
    split_authority,
)
from everbearer.policy.verdict import Pass, Refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from everbearer.policy.rules import RuleSet
    from everbearer.policy.view import RequestView

_HTTP_PORT: Final = 80


def destination(view: RequestView, rules: RuleSet) -> str | Pass | Refuse:
    """
    Return the normalised host that the request verifiably goes to.

    A `Pass` is for requests in which no rule names anything; a `Refuse` for
    those that name a ruled host and cannot be trusted to go there, or that
    take the explicit proxy for a server.
    """
    if view.direct or _asks_for_the_proxy(view):
        return _no_server(view)
    if not any(map(rules.covers_raw, _named(view))):
        return _unmatched(rules)
    reverse = view.listener.reverse
    try:
        host = normalise_host(view.host)
        authorities = [split_authority(raw) for raw in view.authorities]
        others = {
            normalise_host(raw)
            for raw in (view.connect_name, view.sni)
            if raw is not None
        }
        verified = normalise_host(view.verified_name) if view.verified_name else ""
        stands_for = normalise_host(reverse) if reverse else host
    except ValueError as error:
        return _illegible(error, rules)
    if not authorities:
        return Refuse(
            400,
            "missing_host",
            "the request has neither a Host field nor an :authority",
            "send one Host field, as every HTTP/1.1 client does",
        )
    others.update(name for name, _ in authorities)
    if not reverse:
        foreign = others - {host}
    elif host != stands_for:
        foreign = {stands_for}
    else:
        foreign = _foreign_to_listener(view, authorities, others)
    if foreign:
        return _misdirected(host, foreign)
    return _insecure(view, host, verified, authorities) or host


def _asks_for_the_proxy(view: RequestView) -> bool:
    asked = join_authority(view.host.lower(), view.port)
    return not view.listener.reverse and asked in view.listener.own_authorities


def _no_server(view: RequestView) -> Refuse:
    """RFC 9110 §15.5.20, RFC 9112 §3.2.2: a proxy is asked in absolute form."""
    proxy = view.listener.address
    return Refuse(
        421,
        "proxy_is_no_server",
        f"{proxy} is a proxy, and was asked as if it were the server",
        f"let the tool use it as a proxy: curl -x http://{proxy} https://...; for "
        "tools that cannot, add a [[listeners]] with reverse to the configuration",
    )


def _named(view: RequestView) -> Iterator[str]:
    yield view.host
    for name in (view.verified_name, view.sni, view.connect_name):
        if name:
            yield name
    yield from view.authorities
    if view.listener.reverse:
        yield view.listener.reverse


def _unmatched(rules: RuleSet) -> Pass | Refuse:
    if rules.unmatched in {"tunnel", "inspect"}:
        return Pass("unmatched", "no rule names this host")
    return Refuse(
        403,
        "unmatched_refused",
        "no rule names this host, and unmatched_hosts is refuse",
        "add a rule for the host, or reach it without this proxy",
    )


def _illegible(error: ValueError, rules: RuleSet) -> Refuse:
    hint = "name the host as its rule does, in every field"
    if isinstance(error, NonAsciiHost) and rules.covers(error.ascii_form):
        hint = f'use "{error.ascii_form}"'
    return Refuse(
        400,
        "invalid_host",
        "a name of the request's host is not a legal host name",
        hint,
    )


def _foreign_to_listener(
    view: RequestView, authorities: list[tuple[str, int | None]], names: set[str]
) -> set[str]:
    """
    Return what names another than the reverse listener that the client talks to.

    The page of a stranger who had his own name resolve to this machine is
    found out here.
    """
    if len(names) > 1:
        return names
    default = _HTTP_PORT if view.sni is None else HTTPS_PORT
    asked = {join_authority(name, port or default) for name, port in authorities}
    return asked - view.listener.own_authorities


def _misdirected(host: str, foreign: set[str]) -> Refuse:
    """RFC 9110 §7.4 and §15.5.20: a request for another than is connected to."""
    return Refuse(
        421,
        "misdirected",
        f"the request goes to {host} and names {', '.join(sorted(foreign))}",
        "let CONNECT, SNI, Host and :authority name the same host; a reverse "
        "listener is addressed by its own name and port",
    )


def _insecure(
    view: RequestView,
    host: str,
    verified: str,
    authorities: list[tuple[str, int | None]],
) -> Refuse | None:
    if view.scheme != "https":
        return Refuse(
            403,
            "insecure_scheme",
            f"{host} is never asked over plain http",
            f"use https://{host}/",
        )
    if not (view.upstream_verified and verified):
        return Refuse(
            500,
            "upstream_unverified",
            f"the certificate of {host} is not verified",
            "run the proxy without ssl_insecure; for a private CA set network.ca_file",
        )
    if verified != host:
        return _misdirected(host, {verified})
    ports = {view.port}
    if not view.listener.reverse:
        ports.update(port for _, port in authorities if port is not None)
    if ports != {HTTPS_PORT}:
        return Refuse(
            421,
            "wrong_port",
            f"rules name {host} on port {HTTPS_PORT} only",
            f"use https://{host}/, without another port",
        )
    return None
