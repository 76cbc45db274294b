"""The authority that the proxy's clients are to trust, as the configuration says."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

from everbearer.cli import voice

FIRST_START: Final = "the first start of everbearer serve makes it"

if TYPE_CHECKING:
    from everbearer.clients.own_authority import OwnAuthority
    from everbearer.settings.model import Settings


def own_authority(settings: Settings) -> OwnAuthority | None:
    """Return the own CA where the configuration wants it, made if there is none."""
    from everbearer.clients.own_authority import find_or_make, own_folder
    from everbearer.settings.model import Ca

    if settings.proxy.ca is not Ca.OWN:
        return None
    return find_or_make(own_folder(), settings.ruled, _now())


def warn_of_doubts(settings: Settings) -> None:
    """Tell why tools will not accept the own CA that is there; makes none."""
    from everbearer.clients.own_authority import find, own_folder
    from everbearer.settings.model import Ca

    if settings.proxy.ca is not Ca.OWN:
        return
    found = find(own_folder())
    for doubt in found.doubts(settings.ruled, _now()) if found else ():
        voice.warn(doubt)


def warn_if_missing(certificate: Path) -> None:
    """Tell what makes the CA where it is not there yet."""
    if not certificate.exists():
        voice.warn(f"{certificate} is not there yet: {FIRST_START}")


def certificate_path(settings: Settings) -> Path:
    """Return what tools are to trust; mitmproxy's need not be there yet."""
    own = own_authority(settings)
    return own.path if own else Path.home() / ".mitmproxy" / "mitmproxy-ca-cert.pem"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
