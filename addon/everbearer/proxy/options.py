"""
mitmproxy's options: what everbearer sets, and what it cannot live with.

Whatever moves a request after the decision, turns certificate checks off, or
opens a listener to others is refused, not overridden: whoever set it must know.
"""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any, Final

from mitmproxy import ctx, exceptions
from mitmproxy.proxy import mode_specs

from everbearer.errors import Problem
from everbearer.policy.hosts import is_loopback

if TYPE_CHECKING:
    from mitmproxy.options import Options

    from everbearer.broker import Broker
    from everbearer.policy.rules import RuleSet
    from everbearer.settings.model import Address, Settings

FORBIDDEN: Final = {
    "ssl_insecure": "tokens go only to servers whose certificate was checked",
    "map_remote": "it moves requests after they got their token",
    "map_local": "it answers requests in the server's place",
    "modify_headers": "it changes requests after they got their token",
    "modify_body": "it changes requests after they got their token",
    "stickyauth": "it copies credentials from one request to another",
    "upstream_auth": "it adds credentials after the decision",
    "proxyauth": "its passwords land in saved flows",
    "store_streamed_bodies": "token exchanges would be kept",
    "server_replay": "it answers requests in the server's place",
    "proxy_debug": "it logs what is sent, tokens included",
}
"""Options that must be unset, with the reason. A test holds mitmproxy to the list."""

REQUIRED: Final = {
    "keep_host_header": "a reverse listener judges who asks by the Host field",
    "validate_inbound_headers": "requests that can be read in two ways get through",
}
"""Options that must be set, with the reason."""

FORBIDDEN_ADDONS: Final = (
    "mapremote",
    "maplocal",
    "modifyheaders",
    "modifybody",
    "stickyauth",
    "upstreamauth",
)
"""What the launcher leaves out."""

IDLE_TIMEOUT: Final = 900
"""Seconds; Box holds a long poll for 610, mitmproxy's own limit is 600."""


_SAFE_MODES: Final = (
    mode_specs.RegularMode,
    mode_specs.UpstreamMode,
    mode_specs.ReverseMode,
)


def wanted(settings: Settings) -> dict[str, Any]:
    """Return the options that everbearer needs, whoever started mitmproxy."""
    wanted: dict[str, Any] = {
        "http2": settings.proxy.http2,
        "http3": False,
        "keep_host_header": True,
        "stream_large_bodies": "1m",
        "validate_inbound_headers": True,
        # A connection that goes by another proxy is dialled per request.
        "connection_strategy": "lazy" if settings.network.upstream_proxy else "eager",
    }
    return wanted


def modes(settings: Settings) -> list[str]:
    """Return the listeners as mitmproxy's mode specifications."""
    upstream = settings.network.upstream_proxy
    explicit = f"upstream:{upstream}" if upstream else "regular"
    return [
        f"reverse:https://{listener.reverse}@{_bare(listener.address)}"
        if listener.reverse
        else f"{explicit}@{_bare(listener.address)}"
        for listener in settings.listeners
    ]


def _bare(address: Address) -> str:
    # mitmproxy takes brackets for a part of the name, and finds nobody.
    return f"{address.host}:{address.port}"


def problems(options: Options, rules: RuleSet) -> list[str]:
    """Return why everbearer cannot run with these options; empty when it can."""
    found = [
        f"option {name} is set: {why}; unset it"
        for name, why in FORBIDDEN.items()
        if name in options and getattr(options, name)
    ]
    found += [
        f"option {name} is unset: {why}; set it"
        for name, why in REQUIRED.items()
        if name in options and not getattr(options, name)
    ]
    found += _ciphers(options)
    found += _listeners(options, guarded=rules.guarded)
    found += _ignored(options, rules)
    return found


class EverbearerOptions:
    """
    Keeps mitmproxy's options sound while it runs.

    What a script, a command or an interface sets wrongly is refused, and
    mitmproxy puts the old value back. So is a reload to rules that forbid what
    is set: listeners that others reach stay until a restart, users or none.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        broker.vet_reloads(self._objections)

    def configure(self, _updated: set[str]) -> None:
        """Refuse the change; raises OptionsError."""
        found = problems(ctx.options, self._broker.rules)
        if found:
            raise exceptions.OptionsError("everbearer: " + "; ".join(found))

    def _objections(self, rules: RuleSet) -> list[Problem]:
        fix = "the proxy takes other listeners at a restart"
        return [
            Problem("mitmproxy", text, fix) for text in problems(ctx.options, rules)
        ]


def _ciphers(options: Options) -> list[str]:
    """
    Find ciphers without authentication.

    A server that chooses one shows no certificate, and OpenSSL, told to verify
    the server's, finds nothing to complain of.
    """
    if "ciphers_server" not in options or not options.ciphers_server:
        return []
    wanted = options.ciphers_server
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.set_ciphers(wanted)
    except ssl.SSLError:
        return []  # mitmproxy's connections fail of it as well
    if not any(cipher["auth"] == "auth-null" for cipher in context.get_ciphers()):
        return []
    found = f"ciphers_server is {wanted!r}: with some of these a server shows no "
    return [f"{found}certificate; use '{wanted}:!aNULL'"]


def _listeners(options: Options, *, guarded: bool) -> list[str]:
    found = []
    for text in options.mode:
        mode = mode_specs.ProxyMode.parse(text)
        if not isinstance(mode, _SAFE_MODES):
            found.append(
                f"mode {text}: only regular, upstream and reverse are safe; "
                "use one of these"
            )
            continue
        if isinstance(mode, mode_specs.ReverseMode) and mode.scheme != "https":
            found.append(f"mode {text}: a reverse target is https; write https://")
        host = mode.listen_host(options.listen_host)
        if not guarded and not is_loopback(host):
            found.append(
                f"mode {text} listens on {host or 'every interface'}, and without "
                "[[proxy.users]] everbearer serves this machine only; "
                "use --listen-host 127.0.0.1"
            )
    if "web_host" in options and not is_loopback(options.web_host):
        found.append(
            f"web_host is {options.web_host}: whoever reaches the interface sees "
            "tokens; use 127.0.0.1"
        )
    return found


def _ignored(options: Options, rules: RuleSet) -> list[str]:
    samples = [
        f"{pattern.text.replace('*', 'x')}:443"
        for rule in rules.rules
        for pattern in rule.hosts
    ]
    found = [
        f"ignore_hosts {pattern!r} covers a ruled host ({sample}): remove it"
        for pattern in options.ignore_hosts
        for sample in samples
        if re.search(pattern, sample, re.IGNORECASE)
    ]
    if options.allow_hosts:
        found.append(
            "allow_hosts is set: it lets spellings of ruled hosts through as opaque "
            "tunnels; unset it, hosts that no rule names are not decrypted anyway"
        )
    if options.tcp_hosts:
        found.append("tcp_hosts is set: it makes opaque tunnels; unset it")
    return found
