"""`[proxy]`: what happens to requests and bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.policy.hosts import is_loopback, join_authority, normalise_host
from everbearer.settings.model import Ca, ProxySettings, Unmatched
from everbearer.settings.network import split_url
from everbearer.settings.problems import quote
from everbearer.settings.users import build_users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everbearer.settings.document import ProxyTable
    from everbearer.settings.problems import Problems

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def build_proxy(
    table: ProxyTable, profiles: Iterable[str], problems: Problems
) -> ProxySettings:
    """Return the settings; notes what is wrong with them."""
    given = table.model_dump(exclude_none=True)
    given["users"] = build_users(table.users, profiles, problems)
    given["unmatched_hosts"] = Unmatched(table.unmatched_hosts or Unmatched.TUNNEL)
    given["ca"] = Ca(table.ca or Ca.MITMPROXY)
    if given["ca"] is Ca.OWN and given["unmatched_hosts"] is Unmatched.INSPECT:
        problems.add(
            ("proxy", "unmatched_hosts"),
            "hosts that no rule names are beyond the own CA, so none is decrypted",
            'write: unmatched_hosts = "tunnel", or ca = "mitmproxy"',
        )
    given["browser_origins"] = _origins(table.browser_origins or [], problems)
    return ProxySettings(**given)


def doubts(proxy: ProxySettings) -> tuple[str, ...]:
    """Return what is legal in the settings and hardly meant."""
    if proxy.spool_limit >= proxy.replay_body_limit:
        return ()
    limit = proxy.spool_limit
    text = f"proxy.spool_limit is less: no request beyond {limit} bytes is replayed"
    return (f"proxy.replay_body_limit cannot be reached, {text}",)


def _origins(texts: list[str], problems: Problems) -> frozenset[str]:
    for position, text in enumerate(texts):
        fix = _correct_origin(text)
        if fix != text:
            problems.add(
                ("proxy", "browser_origins", position),
                "expected an origin as browsers send it: https://host,"
                " or http:// on this machine",
                f"write: {quote(fix)}",
            )
    return frozenset(texts)


def _correct_origin(text: str) -> str:
    """Return the origin (RFC 6454 §6.2) that the text means, an example for none."""
    parts = split_url(text.lower())
    host = normalise_host(parts.hostname or "") if parts else ""
    local = parts is not None and parts.scheme == "http" and is_loopback(host)
    if parts is None or not (parts.scheme == "https" or local):
        return "https://app.example.com"
    if parts.port in {None, _DEFAULT_PORTS[parts.scheme]}:
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}"
    return f"{parts.scheme}://{join_authority(host, parts.port)}"
