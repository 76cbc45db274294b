"""A request as a tool would send it → the view that the proxy would have of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict
from urllib.parse import SplitResult, urlsplit

from everbearer.errors import ConfigError, Problem
from everbearer.policy.head import read_head
from everbearer.policy.hosts import is_address
from everbearer.policy.view import ListenerView, RequestView, UserView
from everbearer.schemes.existing import classify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everbearer.settings.model import Listener, Settings

type Fields = tuple[tuple[str, str], ...]
"""Names in lower case, and values."""

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Request:
    """
    What a person wants to know about.

    Raises ConfigError for what is not an absolute http or https URL.
    """

    method: str
    url: str
    fields: Fields = ()

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            legal = parts.scheme in _PORTS and parts.hostname and parts.port != 0
        except ValueError:
            legal = False
        if not legal:
            fix = "write, for example: https://api.box.com/2.0/users/me"
            raise ConfigError(Problem("", "not an http or https URL", fix))

    @property
    def parts(self) -> SplitResult:
        """The URL taken apart."""
        return urlsplit(self.url)

    @property
    def authority(self) -> str:
        """What the URL says between the slashes, without user information."""
        return self.parts.netloc.rpartition("@")[2]

    @property
    def target(self) -> str:
        """Path and query, as they are sent."""
        path, query = self.parts.path or "/", self.parts.query
        return f"{path}?{query}" if query else path

    def values(self, name: str) -> tuple[str, ...]:
        """Return all values of a field."""
        return tuple(value for known, value in self.fields if known == name)


def listener_for(request: Request, settings: Settings, address: str | None) -> Listener:
    """
    Return the listener that takes the request.

    That at *address*, else the reverse listener that the URL names, else the
    first explicit proxy. Raises ConfigError when there is none.
    """
    known = {str(listener.address): listener for listener in settings.listeners}
    if address is not None:
        if address not in known:
            there = f"there are: {', '.join(known)}"
            raise ConfigError(Problem("", f"no listener has {address}", there))
        return known[address]
    for listener in settings.listeners:
        if listener.reverse and request.authority in _view(listener).own_authorities:
            return listener
    explicit = [listener for listener in settings.listeners if not listener.reverse]
    if not explicit:
        fix = f"address one of the reverse listeners: {', '.join(known)}"
        raise ConfigError(Problem("", "there is no explicit proxy", fix))
    return explicit[0]


def user_of(name: str | None, settings: Settings) -> UserView | None:
    """Return the proxy user of that name; raises ConfigError when there is none."""
    if name is None:
        return None
    users = {user.name: user for user in settings.proxy.users}
    if name not in users:
        there = f"there are: {', '.join(users)}" if users else "run: everbearer user"
        raise ConfigError(Problem("", f"there is no proxy user {name}", there))
    return UserView(name, users[name].profiles)


def view_of(
    request: Request,
    listener: Listener,
    placeholder: str,
    user: UserView | None = None,
) -> RequestView:
    """
    Return the view that *listener* would have of the request of *user*.

    https through the explicit proxy comes by CONNECT, with an SNI; http comes
    in absolute form. *placeholder* is that of the configuration.
    """
    authorization = classify(
        _authorizations(request),
        placeholder=placeholder,
        # Nobody knows here what a running proxy has seen.
        issued=lambda _: frozenset(),
        redeemed=lambda _: frozenset(),
        rejected_for=lambda _: frozenset(),
    )
    return RequestView(
        **_destination(request, listener),
        **read_head(request.method, request.target, "", request.values),
        authorities=request.values("host") or (request.authority,),
        listener=_view(listener),
        user=user,
        authorization=authorization,
        body_length=_body_length(request),
    )


class _Destination(TypedDict):
    scheme: str
    host: str
    port: int
    verified_name: str
    sni: str | None
    connect_name: str | None


def _destination(request: Request, listener: Listener) -> _Destination:
    """Return where the request goes, and by which names."""
    parts = request.parts
    if listener.reverse:
        host, scheme, port, sni = listener.reverse, "https", _PORTS["https"], None
    else:
        host, scheme = _bare(request.authority), parts.scheme
        port = parts.port or _PORTS[scheme]
        sni = None if is_address(host.lower()) else host
    tls = scheme == "https"
    return {
        "scheme": scheme,
        "host": host,
        "port": port,
        "verified_name": host if tls else "",
        "sni": sni if tls else None,
        "connect_name": host if tls and not listener.reverse else None,
    }


def _view(listener: Listener) -> ListenerView:
    host, port = listener.address.host, listener.address.port
    return ListenerView.at(host, port, listener.reverse, listener.profile)


def parse_fields(texts: Iterable[str]) -> Fields:
    """Return `Name: value` texts as curl takes them; raises ValueError."""
    found = []
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise ValueError("a field is written as 'Name: value'")
        found.append((name.strip().lower(), value.strip()))
    return tuple(found)


def _authorizations(request: Request) -> tuple[str, ...]:
    sent = request.values("authorization")
    if not sent and "@" in request.parts.netloc:
        return ("Basic from-the-url",)  # what curl makes of user information
    return sent


def _body_length(request: Request) -> int | None:
    if request.values("transfer-encoding"):
        return None
    lengths = request.values("content-length")
    return int(lengths[0]) if lengths and lengths[0].isdecimal() else 0


def _bare(authority: str) -> str:
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]
