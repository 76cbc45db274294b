"""The CA whose certificates tools are shown: is it there, good, and for whom."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from everbearer.clients.own_authority import find
from everbearer.doctor.result import Level, Result, failed, ok, skip, warn
from everbearer.errors import EverbearerError, StoreError
from everbearer.policy.rules import Action

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from everbearer.clients.own_authority import OwnAuthority
    from everbearer.doctor.patient import Patient
    from everbearer.proxy.leaf import Leaf
    from everbearer.settings.model import Settings

_WHAT: Final = "CA"
_MAKE: Final = "run: everbearer ca"
_RENEW: Final = "run: everbearer ca --renew"
_SOON: Final = dt.timedelta(days=30)
_HOST: Final = "api.box.com"
_NO_CA: Final = "mitmproxy's CA is made by the first start of the proxy"


type Shown = tuple[tuple[Result, ...], str, Leaf | None]
"""What is to be said of the CA, and a host with the certificate for it, or None."""


def shown(patient: Patient) -> Shown:
    """Return what the proxy would show to tools; makes no CA. Blocks."""
    now = dt.datetime.now(dt.UTC)
    return _own(patient, now) if patient.has_own_ca else _mitmproxys(patient, now)


def _own(patient: Patient, now: dt.datetime) -> Shown:
    # mitmproxy takes its time to load.
    from everbearer.proxy.leaf import own_leaf  # noqa: PLC0415 - see above

    if patient.ca_is_open:
        return (skip(_WHAT, "mend the file modes first"),), "", None
    try:
        own = find(patient.own)
    except StoreError as error:
        return failed(_WHAT, error), "", None
    if own is None:
        return (warn(_WHAT, "there is none of your own yet", _MAKE),), "", None
    host = ruled_host(patient.found, own.may_speak_for)
    leaf = own_leaf(own.issued, host) if own.may_speak_for(host) else None
    return judge_own(own, patient.settings, now), host, leaf


def _mitmproxys(patient: Patient, now: dt.datetime) -> Shown:
    from everbearer.proxy.leaf import leaf  # noqa: PLC0415 - see above

    host = ruled_host(patient.found)
    try:
        found = leaf(patient.confdir, host)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged"
        return (_unreadable(patient.confdir, reason.lower()),), "", None
    if found is None:
        text = f"there is none yet: {_NO_CA}"
        return (warn(_WHAT, text, "run: everbearer serve"),), "", None
    return (judge(found.ca_ends, now, patient.confdir),), host, found


def ruled_host(
    settings: Settings | None, may: Callable[[str], bool] = lambda _: True
) -> str:
    """Return a host that gets a token, Box's where nobody can tell."""
    hosts = [
        host.text
        for rule in (settings.rules if settings else ())
        if rule.action is Action.INJECT
        for host in rule.hosts
        if not host.parent
    ]
    return next(filter(may, hosts), (hosts or [_HOST])[0])


def judge(ends: dt.datetime, now: dt.datetime, confdir: Path) -> Result:
    """Judge how long mitmproxy's CA is good."""
    fix = f"move {confdir} away, start the proxy again, and let tools trust the new one"
    return _ending(ends, now, fix) or ok(
        _WHAT, f"{confdir / 'mitmproxy-ca-cert.pem'}, good until {ends:%Y-%m-%d}"
    )


def judge_own(
    own: OwnAuthority, settings: Settings, now: dt.datetime
) -> tuple[Result, ...]:
    """Judge how long the own CA is good, and for whom."""
    found = []
    if own.leaves_addresses:
        text = "it could speak for any IP address, as older ones can"
        found.append(warn(_WHAT, text, _RENEW))
    if bad := _ending(own.until, now, _RENEW):
        found.append(bad)
    if beyond := own.beyond(settings.ruled):
        text = f"it was not made for {', '.join(beyond)}: tools refuse it there"
        found.append(warn(_WHAT, text, _RENEW))
    names = ", ".join(own.permitted)
    good = f"{own.path}, for {names}, good until {own.until:%Y-%m-%d}"
    return tuple(found) or (ok(_WHAT, good),)


def _ending(ends: dt.datetime, now: dt.datetime, fix: str) -> Result | None:
    if ends <= now:
        code = EverbearerError.exit_code
        return Result(Level.FAIL, _WHAT, f"it ended on {ends:%Y-%m-%d}", fix, code)
    if ends - now < _SOON:
        return warn(_WHAT, f"it ends on {ends:%Y-%m-%d}", fix)
    return None


def _unreadable(confdir: Path, reason: str) -> Result:
    return Result(
        Level.FAIL,
        _WHAT,
        f"mitmproxy's CA in {confdir} cannot be used: {reason}",
        f"look at: ls -l {confdir}, or move it away: the proxy makes another",
        EverbearerError.exit_code,
    )
