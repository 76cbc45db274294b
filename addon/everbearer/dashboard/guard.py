"""
Whose requests the dashboard takes: those of its own page, and of this user's tools.

Pure. A browser lets any page send requests to loopback, and a name of anybody's
may lead there (DNS rebinding): so the request must name this very listener, and
must not come from another origin, another port of this machine included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from everbearer.policy.hosts import join_authority

MARK: Final = "Everbearer-Dashboard"
"""A field that no page of another origin can send without being asked for leave."""

OPEN: Final = "/open"

_READS: Final = frozenset({"GET", "HEAD"})
_JSON: Final = "application/json"
_OWN_SITES: Final = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A request, as far as it is judged before anything else is done.

    Each field's values as they came, one for each time it is there.
    """

    method: str
    target: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()  # Sec-Fetch-Site
    modes: tuple[str, ...] = ()  # Sec-Fetch-Mode
    content_types: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()  # of MARK


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request is not taken, in words; `status` is what it is answered."""

    status: int
    words: str


def authorities(host: str, port: int) -> frozenset[str]:
    """Return what a Host field may say at the listener on that loopback address."""
    return frozenset({join_authority(host, port), f"localhost:{port}"})


def judge(asked: Asked, own: frozenset[str]) -> Refused | None:
    """
    Return why *asked* is not taken; None for one that may go on to the session.

    *own* are the `authorities` of the listener. Total: whatever is not known to be
    harmless is refused.
    """
    hosts = tuple(host.lower() for host in asked.hosts)
    if len(hosts) != 1 or hosts[0] not in own:
        return Refused(421, "this is not the server that the request names")
    # An absolute target is for a proxy, and "*" for nobody here.
    if not asked.target.startswith("/") or asked.target.startswith("//"):
        return Refused(400, "the target has to be a path")
    if any(origin != f"http://{hosts[0]}" for origin in asked.origins):
        return Refused(403, "another origin asked")
    if not _is_own_site(asked):
        return Refused(403, "another site's page asked")
    if asked.method in _READS:
        return None
    return _judge_change(asked)


def _is_own_site(asked: Asked) -> bool:
    """Tell whether it is no other site's, other ports of this machine included."""
    if all(site in _OWN_SITES for site in asked.sites):
        return True
    # The command opens a page of the user's own files, which leads to a ticket; to
    # be followed from there it needs no more than to be good.
    is_open = asked.target.partition("?")[0] == OPEN
    return asked.method == "GET" and is_open and asked.modes == ("navigate",)


def _judge_change(asked: Asked) -> Refused | None:
    if asked.method != "POST":
        return Refused(405, "this method is not in use here")
    if len(asked.origins) != 1:
        return Refused(403, "a change is made from the dashboard's page alone")
    if asked.marks != ("1",):
        return Refused(403, f"a change needs the field {MARK}: 1")
    kinds = [kind.partition(";")[0].strip().lower() for kind in asked.content_types]
    if kinds != [_JSON]:
        return Refused(415, f"a change is sent as {_JSON}")
    return None
