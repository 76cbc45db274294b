"""Which mitmproxy is installed, and what is known of it."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from everbearer.doctor.advisories import ADVISORIES, AS_OF, Use
from everbearer.doctor.result import ok, warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.doctor.patient import Patient
    from everbearer.doctor.result import Result

_WHAT: Final = "mitmproxy"


async def versions(patient: Patient) -> tuple[Result, ...]:
    """Compare what is installed with the advisories that were known."""
    installed = {}
    for package in ("mitmproxy", *(each.package for each in ADVISORIES)):
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    http2 = patient.found is not None and patient.found.proxy.http2
    return judge(installed, http2=http2)


def judge(installed: Mapping[str, str], *, http2: bool) -> tuple[Result, ...]:
    """Tell the flaws of *installed* that an everbearer comes near."""
    near = {Use.ALWAYS, Use.HTTP2} if http2 else {Use.ALWAYS}
    known = [
        each
        for each in ADVISORIES
        if each.package in installed and each.concerns(installed[each.package])
    ]
    warnings = tuple(
        warn(
            _WHAT,
            f"{each.package} {installed[each.package]} has {each.name}: {each.what}",
            f"run: {sys.executable} -m pip install --upgrade"
            f" mitmproxy '{each.package}>={each.fixed}'"
            + (", or set proxy.http2 = false" if each.use is Use.HTTP2 else ""),
        )
        for each in known
        if each.use in near
    )
    summary = f"{installed.get('mitmproxy', 'none')}, by what was known on {AS_OF}"
    if warnings:
        return warnings
    rest = sorted(
        {f"of {n.package} with {n.use.value}" for n in known if n.use is not Use.NEVER}
    )
    if rest:
        summary += f"; known flaws matter only with an option: {', '.join(rest)}"
    return (ok(_WHAT, summary),)
