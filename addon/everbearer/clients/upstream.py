"""The proxy that the environment names, behind which ours will stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from everbearer.errors import ConfigError, Problem
from everbearer.policy.hosts import LOOPBACK, join_authority, normalise_host

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

type Place = tuple[str, int]
"""Host and port."""

NAMES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""In the order in which curl asks them, for an https URL."""

OURS: Final = "EVERBEARER_PROXY"
"""Set beside them by `env` and `exec`: which address of theirs is an everbearer's."""

BEFORE: Final = "EVERBEARER_PROXY_BEFORE"
"""Set with it: the proxy that they named before, empty for none."""

_UNSUPPORTED: Final = "has a user name: a proxy that wants a password is not supported"
_ADDED: Final = (
    "use a proxy on this machine that adds it (cntlm and px are such), and"
    ' [network] upstream_proxy = "http://127.0.0.1:…"'
)
_FIX: Final = 'name one in the configuration: [network] upstream_proxy = "http://…"'
_WITHHELD: Final = "withheld"


def upstream_proxy(environ: Mapping[str, str], ours: Container[Place]) -> str:
    """
    Return `http://host:port` as the environment has it for https, "" for none.

    Of *ours* none is gone by, but what was there before it: that one would add a
    token too, and tools show a certificate of its CA's, which a proxy does not
    trust. Raises ConfigError, which quotes nothing of it, for a proxy that ours
    cannot go by: other kinds than http, and those that want a password.
    """
    given = _beyond(environ, ours)
    if not given or not (text := environ[given[0]].strip()):
        return ""
    try:
        parts = urlsplit(_url(text))
        host = normalise_host(parts.hostname or "")
        port = parts.port or {"http": 80}.get(parts.scheme, 0)
    except ValueError:
        raise _unfit(given, "is not the URL of a proxy") from None
    if parts.username is not None:
        raise _unfit(given, _UNSUPPORTED, _ADDED)
    if parts.scheme != "http":
        raise _unfit(given, "names no proxy of the kind http://")
    return f"http://{join_authority(host, port)}"


def first_given(environ: Mapping[str, str]) -> str:
    """Return the variable by which tools find a proxy for https, "" for none."""
    return next(iter(_given(environ)), "")


def marks(
    place: Place, environ: Mapping[str, str], ours: Container[Place]
) -> dict[str, str]:
    """
    Return what tells a later `exec` that *place* is ours, and what was before.

    A password is left out; that there was one is still seen.
    """
    before = next((environ[name].strip() for name in _beyond(environ, ours)), "")
    _, at, rest = before.rpartition("@")
    return {OURS: join_authority(*place), BEFORE: f"{_WITHHELD}@{rest}" if at else rest}


def marked(environ: Mapping[str, str]) -> frozenset[Place]:
    """Return the address that is marked as ours, of those that tools are led to."""
    led_to = (place_of(environ[name]) for name in _given(environ))
    return frozenset(a for a in led_to if a and join_authority(*a) == environ.get(OURS))


def place_of(value: str) -> Place | None:
    """Return where an http proxy's URL leads, None for what is none."""
    try:
        parts = urlsplit(_url(value.strip()))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if not host or port is None or parts.scheme not in {"http", "https"}:
        return None
    return "127.0.0.1" if host == "localhost" else host, port


def local_place_of(value: str) -> Place | None:
    """Return the same for this machine's own names, None for elsewhere."""
    place = place_of(value)
    return place if place and place[0] in LOOPBACK else None


def _beyond(environ: Mapping[str, str], ours: Container[Place]) -> list[str]:
    """Return the variables that name a proxy which is none of *ours*."""
    given = _given(environ)
    if not given or place_of(environ[given[0]]) not in ours:
        return given
    if environ.get(BEFORE, "").strip():
        return [BEFORE]
    return [name for name in given if place_of(environ[name]) not in ours]


def _given(environ: Mapping[str, str]) -> list[str]:
    return [name for name in NAMES if environ.get(name, "").strip()]


def _url(text: str) -> str:
    return text if "://" in text else f"http://{text}"


def _unfit(given: list[str], what: str, fix: str = _FIX) -> ConfigError:
    unset = " ".join(f"-u {name}" for name in given)
    fix = f"{fix}, or go without: env {unset} everbearer exec …"
    return ConfigError(Problem(f"${given[0]}", what, fix))
