"""Which requests of clients ask an endpoint of an authorization server."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from everbearer.policy.hosts import HTTPS_PORT, normalise_host, split_authority
from everbearer.policy.paths import readings

if TYPE_CHECKING:
    from everbearer.policy.view import RequestView


def asks(view: RequestView, url: str) -> bool:
    """
    Tell whether a server may read *view* as a request to *url*, which is https.

    Pure, and never raises. One reading of the path that does is enough, letters
    of any case: to overlook a request is worse here than to look at one too many.
    """
    parts = urlsplit(url)
    try:
        host, port = split_authority(parts.netloc)
        same = normalise_host(view.host) == host
        paths = readings(view.path)
    except ValueError:
        return False
    if not same or view.port != (port or HTTPS_PORT):
        return False
    wanted = (parts.path or "/").rstrip("/").casefold()
    return any(path.rstrip("/").casefold() == wanted for path in paths)
