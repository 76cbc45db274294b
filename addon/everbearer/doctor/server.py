"""Whether token endpoints can be reached, and whose clock is wrong."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from everbearer.doctor.aside import aside
from everbearer.doctor.proxies import foreign_proxy
from everbearer.doctor.result import failed, ok, skip, warn
from everbearer.errors import EverbearerError
from everbearer.oauth.grants.jwt_bearer import ASSERTION_LIFE
from everbearer.renewal.clock import SystemClock
from everbearer.renewal.endpoint import TokenEndpoint

if TYPE_CHECKING:
    from everbearer.doctor.patient import Patient
    from everbearer.doctor.result import Result
    from everbearer.renewal.exchange import Exchange

_NOTABLE: Final = 120.0
"""
Seconds that nothing of OAuth minds, but that are a wrong clock.

Tokens age from when they were sent for, by a clock that nobody sets.
"""
_SIGNED: Final = ASSERTION_LIFE - 10
"""
Seconds of difference that an assertion bears: its life ends `ASSERTION_LIFE` after
our own now, the server's window as long after that; the rest is for the way there.
"""
_SET = {
    "linux": "sudo timedatectl set-ntp true",
    "darwin": "sudo sntp -sS time.apple.com",
}


async def servers(patient: Patient) -> tuple[Result, ...]:
    """Ask every token endpoint's server for nothing, and read its Date."""
    settings = patient.settings
    endpoint = await aside(lambda: TokenEndpoint(settings.network, SystemClock()))
    # A developer token's profile asks no endpoint, but has its server's clock.
    urls = {p.token_url for p in settings.profiles.values()}
    signing = {
        profile.token_url
        for profile in settings.profiles.values()
        if profile.grant is not None and profile.grant.name == "jwt_bearer"
    }
    by_origin = {_origin(url): url for url in sorted(urls)}
    signed = {_origin(url) for url in signing}
    found = await asyncio.gather(
        *(_reached(patient, endpoint, url) for url in by_origin.values())
    )
    results: list[Result] = []
    for origin, exchange in zip(by_origin, found, strict=True):
        what = f"server {origin}"
        if isinstance(exchange, EverbearerError):
            results += failed(what, exchange)
            patient.unreached |= {url for url in urls if _origin(url) == origin}
            results.append(skip("clock", f"{origin} was not reached"))
            continue
        took = exchange.received_at - exchange.sent_at
        results.append(ok(what, f"reached in {took * 1000:.0f} ms"))
        if exchange.server_date is None:
            results.append(skip("clock", f"{origin} tells no Date"))
            continue
        # A Date is cut to whole seconds: on average half of one is missing.
        ours = exchange.sent_wall + took / 2
        behind = exchange.server_date + 0.5 - ours
        results.append(judge_clock(behind, origin, signs=origin in signed))
    return tuple(results)


def judge_clock(behind: float, origin: str, *, signs: bool) -> Result:
    """
    Judge a clock that is *behind* the server's by so many seconds (or ahead: < 0).

    *signs*: assertions are made for this server, which are valid for seconds.
    """
    off = abs(behind)
    limit = _SIGNED if signs else _NOTABLE
    told = "in step with" if off < 2 else f"{off:.0f} s {_side(behind)}"  # noqa: PLR2004 - what Date can tell
    if off <= limit:
        return ok("clock", f"{told} {origin}")
    why = (
        "assertions are refused at first and then made by the server's time,"
        " which costs every start a request"
        if signs
        else "what is logged and kept has the wrong time"
    )
    return warn("clock", f"{told} {origin}: {why}", f"run: {_set_clock()}")


def _set_clock() -> str:
    return _SET.get(sys.platform, _SET["linux"])


def _side(behind: float) -> str:
    return "behind" if behind > 0 else "ahead of"


def _origin(url: str) -> str:
    return urlsplit(url).netloc


async def _reached(
    patient: Patient, endpoint: TokenEndpoint, url: str
) -> Exchange | EverbearerError:
    try:
        return await endpoint.reach(url)
    except EverbearerError as error:
        return _hinted(patient, error)


def _hinted(patient: Patient, error: EverbearerError) -> EverbearerError:
    """Name the proxy that the environment knows and token requests do not use."""
    if patient.settings.network.upstream_proxy:
        return error
    proxy = foreign_proxy(patient.environ, patient.settings.listeners)
    if proxy:
        error.hint = (
            f'if only a proxy leads out, set [network] upstream_proxy = "{proxy}": '
            "token requests never go by HTTPS_PROXY"
        )
    return error
