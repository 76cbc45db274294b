"""What the environment tells tools about proxies, ours and others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from everbearer.clients.no_proxy import leading_past
from everbearer.clients.upstream import BEFORE, local_place_of, marked, place_of
from everbearer.clients.upstream import NAMES as FOR_HTTPS
from everbearer.clients.variables import NO_PROXY
from everbearer.doctor.ports import is_everbearer
from everbearer.doctor.result import ok, warn
from everbearer.policy.rules import Action
from everbearer.settings.model import Address, Listener

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from everbearer.doctor.patient import Patient
    from everbearer.doctor.result import Result
    from everbearer.policy.hosts import HostPattern

_WHAT: Final = "proxy variables"
_EVERYWHERE: Final = {"0.0.0.0": ("127.0.0.1",), "::": ("::1", "127.0.0.1")}  # noqa: S104 - no bind
_SCHEME: Final = re.compile(r"(https?|socks[45]?[ah]?)://", re.IGNORECASE)
_OURS: Final = 'run: eval "$(everbearer env)"'


async def proxies(patient: Patient) -> tuple[Result, ...]:
    """Judge `*_PROXY` and `NO_PROXY`, which most tools obey and everbearer does not."""
    settings = patient.settings
    hosts = [
        host
        for rule in settings.rules
        if rule.action is Action.INJECT
        for host in rule.hosts
    ]
    listeners = [each for each in settings.listeners if not each.reverse]
    led_to = {
        address
        for name in FOR_HTTPS
        if (address := _local(patient.environ.get(name, ""))) is not None
    }
    serving = {address for address in led_to if await is_everbearer(address)}
    # That of `everbearer exec`, and of another configuration, is as good.
    reverse = _reached_at(each for each in settings.listeners if each.reverse)
    listeners += [Listener(each) for each in sorted(serving - reverse, key=str)]
    silent = led_to & _reached_at(listeners) - serving
    return (
        *judge(patient.environ, listeners, hosts),
        *(
            warn(
                _WHAT,
                f"tools are led to everbearer at {address}, and it does not run",
                "run: everbearer serve",
            )
            for address in sorted(silent, key=str)
        ),
    )


async def another(patient: Patient) -> str:
    """Return the proxy that tools are led to, if it is one of ours and not this."""
    if patient.found is None:
        return ""
    ours = _reached_at(patient.settings.listeners)
    set_here = (patient.environ.get(name, "") for name in FOR_HTTPS)
    value = next(filter(None, set_here), "")
    address = _local(value)
    if address is None or address in ours or not await is_everbearer(address):
        return ""
    return value if "://" in value else f"http://{value}"


def leads_here(patient: Patient) -> bool:
    """Tell whether this environment leads tools to one of the listeners."""
    listeners = patient.found.listeners if patient.found else ()
    set_here = (patient.environ.get(name, "") for name in FOR_HTTPS)
    return any(value and _is_ours(value, listeners) for value in set_here)


def judge(
    environ: Mapping[str, str],
    listeners: Iterable[Listener],
    hosts: Sequence[HostPattern],
) -> tuple[Result, ...]:
    """Say where tools with this environment go that ask one of *hosts*."""
    listeners = tuple(listeners)
    set_here = {name: environ[name] for name in FOR_HTTPS if environ.get(name)}
    found: list[Result] = []
    ours = {n for n, v in set_here.items() if _is_ours(v, listeners)}
    found.extend(
        warn(
            _WHAT,
            f"{name} is {shown(value)}: tools go there, not to everbearer",
            f"{_OURS}, or for one command: everbearer exec -- COMMAND",
        )
        for name, value in set_here.items()
        if name not in ours
    )
    if ours and (past := _past(environ, hosts)):
        name, word = past
        found.append(
            warn(
                _WHAT,
                f"{name} has {word}: some tools go there directly, past everbearer",
                f"run: unset {name}, or take {word} out of it",
            )
        )
    for name in ("http_proxy", "HTTP_PROXY"):
        if environ.get(name) and not set_here and _is_ours(environ[name], listeners):
            found.append(
                warn(
                    _WHAT,
                    f"{name} is everbearer's, but https goes by HTTPS_PROXY,"
                    " which is not set",
                    f"run: export HTTPS_PROXY={shown(environ[name])}",
                )
            )
            break
    if found:
        return tuple(found)
    if ours:
        return (ok(_WHAT, f"{', '.join(sorted(ours))}: everbearer"),)
    return (ok(_WHAT, "none is set: each tool is told by itself, or by exec"),)


def foreign_proxy(environ: Mapping[str, str], listeners: Iterable[Listener]) -> str:
    """Return the environment's proxy for https unless it is ours, "" for none."""
    listeners, ours = tuple(listeners), marked(environ)
    for name in (BEFORE, *FOR_HTTPS) if ours else FOR_HTTPS:
        value = environ.get(name, "")
        if value and place_of(value) not in ours and not _is_ours(value, listeners):
            return shown(value)
    return ""


def shown(value: str) -> str:
    """Return a proxy's URL without user, password and what a terminal obeys."""
    # A password may hold what else divides a URL: all up to the last @ goes first.
    before, at, rest = value.rpartition("@")
    scheme = _SCHEME.match(before if at else rest)
    if scheme and not at:
        rest = rest[scheme.end() :]
    authority = rest.partition("/")[0].partition("?")[0]
    return f"{scheme[1] if scheme else 'http'}://{authority}"


def _is_ours(value: str, listeners: Iterable[Listener]) -> bool:
    explicit = (each for each in listeners if not each.reverse)
    return _local(value) in _reached_at(explicit)


def _reached_at(listeners: Iterable[Listener]) -> set[Address]:
    """Return where tools of this machine find the listeners."""
    found = set()
    for each in listeners:
        hosts = _EVERYWHERE.get(each.address.host, (each.address.host,))
        found |= {Address(host, each.address.port) for host in hosts}
    return found


def _local(value: str) -> Address | None:
    place = local_place_of(value)
    return None if place is None else Address(*place)


def _past(
    environ: Mapping[str, str], hosts: Sequence[HostPattern]
) -> tuple[str, str] | None:
    """Return the variable by which one of *hosts* is asked directly, and its word."""
    for name in NO_PROXY:
        if words := leading_past(environ.get(name, ""), hosts):
            return name, words[0]
    return None
