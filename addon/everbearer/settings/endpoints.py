"""A profile's other addresses: consent, the way back from it, revocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.policy.hosts import LOOPBACK
from everbearer.settings.model import Endpoints
from everbearer.settings.network import split_url

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from everbearer.providers.contract import Preset
    from everbearer.settings.document import ProfileTable
    from everbearer.settings.problems import Where
    from everbearer.settings.secrets import SecretReader


def build_endpoints(
    where: Where,
    table: ProfileTable,
    preset: Preset,
    token_url: str,
    reader: SecretReader,
) -> Endpoints:
    """
    Return the addresses; notes what is wrong with them.

    The preset's own are for its token endpoint only: with another one the
    client's secret must not go to a server that has nothing to do with it.
    """
    own = token_url == preset.token_url
    return Endpoints(
        authorize_url=_https(where, "authorize_url", table, reader)
        or (preset.authorize_url if own else ""),
        revoke_url=_https(where, "revoke_url", table, reader)
        or (preset.revoke_url if own else ""),
        redirect_uri=_redirect_uri((*where, "redirect_uri"), table, reader),
        who=preset.who if own else None,
    )


def _https(where: Where, key: str, table: ProfileTable, reader: SecretReader) -> str:
    url: str | None = getattr(table, key)
    if url is None:
        return ""
    parts = split_url(url)
    # RFC 6749 §3.1, RFC 7009 §2: no fragment, and TLS.
    if parts is None or parts.scheme != "https" or parts.fragment:
        reader.problems.add(
            (*where, key),
            "expected an https address without user information",
            f"write, for example: {table.example(key)}",
        )
        return ""
    return url


def _redirect_uri(here: Where, table: ProfileTable, reader: SecretReader) -> str:
    url = table.redirect_uri
    if url is None:
        return ""
    parts = split_url(url)
    # A code that comes over http is safe on this machine's loopback alone.
    if parts is None or parts.fragment or not _comes_back_safely(parts):
        reader.problems.add(
            here,
            "expected https, or http to this machine's loopback, without a fragment",
            f"write, for example: {table.example('redirect_uri')}",
        )
        return ""
    return url


def _comes_back_safely(parts: SplitResult) -> bool:
    if parts.scheme == "http":
        # Leads to this machine (RFC 8252 §7.3, §8.3).
        return parts.hostname in LOOPBACK
    return parts.scheme == "https"
