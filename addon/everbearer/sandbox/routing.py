"""From host, method and path to the one handler that answers."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from everbearer.sandbox.message import Answer
from everbearer.sandbox.world import Call

Handler = Callable[[Call], Answer | Awaitable[Answer]]


class Site(Enum):
    """The hosts that the sandbox plays."""

    API = auto()
    UPLOAD = auto()
    DOWNLOAD = auto()
    ACCOUNT = auto()
    REALTIME = auto()
    CONTROL = auto()


class Access(Enum):
    """What a call asks of its caller."""

    BEARER = auto()
    BEARER_OR_QUERY = auto()
    OPEN = auto()


class Takes(Enum):
    """What becomes of a call's body."""

    BUFFER = auto()
    FORM_UPLOAD = auto()
    PART = auto()


@dataclass(frozen=True, slots=True)
class Route:
    """
    One call; `*` in *path* is a variable segment.

    A downscoped token needs one of *scopes*.
    """

    method: str
    path: str
    handler: Handler
    access: Access = Access.BEARER
    takes: Takes = Takes.BUFFER
    scopes: frozenset[str] = frozenset()


_EXACT_HOSTS = {
    "api.box.com": Site.API,
    "upload.box.com": Site.UPLOAD,
    "upload.app.box.com": Site.UPLOAD,
    "dl.boxcloud.com": Site.DOWNLOAD,
    "account.box.com": Site.ACCOUNT,
    "localhost": Site.CONTROL,
    "127.0.0.1": Site.CONTROL,
}
_WILDCARD_HOSTS = (
    (re.compile(r"upload-[a-z0-9-]+\.app\.box\.com"), Site.UPLOAD),
    (re.compile(r"[0-9.]+\.realtime\.services\.box\.net"), Site.REALTIME),
)
# Below these, Box judges the token before it looks for the call.
_BEARER_PREFIXES = {
    Site.API: "/2.0/",
    Site.UPLOAD: "/api/2.0/",
    Site.DOWNLOAD: "/api/2.0/internal_files/",
}


def host_name(host: str) -> str:
    """Return a Host field's value in lower case, without a port."""
    name, _, port = host.lower().rpartition(":")
    return name if port.isdigit() else host.lower()


def site_of(name: str) -> Site | None:
    """Return whose host name this is."""
    site = _EXACT_HOSTS.get(name)
    if site is None:
        for pattern, candidate in _WILDCARD_HOSTS:
            if pattern.fullmatch(name):
                return candidate
    return site


def needs_bearer(site: Site | None, path: str) -> bool:
    """Tell whether a path that is no known call would need a token all the same."""
    prefix = _BEARER_PREFIXES.get(site) if site else None
    return prefix is not None and path.startswith(prefix)


class Router:
    """Finds calls; the table is read once."""

    def __init__(self, table: Iterable[tuple[Site, Route]]) -> None:
        self._exact: dict[tuple[Site, str, str], Route] = {}
        self._patterns: dict[tuple[Site, str], list[tuple[re.Pattern[str], Route]]] = {}
        for site, route in table:
            if "*" not in route.path:
                self._exact[site, route.method, route.path] = route
                continue
            pattern = re.compile(re.escape(route.path).replace(r"\*", "([^/]+)"))
            self._patterns.setdefault((site, route.method), []).append((pattern, route))

    def find(
        self, site: Site, method: str, path: str
    ) -> tuple[Route, tuple[str, ...]] | None:
        """Return the call and the variable segments of its path."""
        route = self._exact.get((site, method, path))
        if route is not None:
            return route, ()
        for pattern, route in self._patterns.get((site, method), ()):
            match = pattern.fullmatch(path)
            if match:
                return route, match.groups()
        return None
