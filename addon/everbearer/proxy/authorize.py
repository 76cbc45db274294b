"""What a scheme asks for, done to a flow, and what servers told it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.policy.query import name_of
from everbearer.proxy.redact import encoded
from everbearer.recent import Recent
from everbearer.schemes.contract import Need
from everbearer.secret import Secret

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from everbearer.broker import Broker
    from everbearer.policy.view import RequestView
    from everbearer.schemes.contract import Changes, Credential, Scheme

_ANY: Final = "surrogateescape"
"""How mitmproxy encodes fields."""

_LEARNED_MEMORY: Final = 1024
"""Of how many profiles and destinations is kept what was learned."""

type _Place = tuple[str, str, int]
"""Profile, host and port."""


class Authorizer:
    """Authorises requests, each by the scheme of its profile."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._learned = Recent[_Place, str](_LEARNED_MEMORY)

    def needs_body(self, profile: str) -> bool:
        """Tell whether requests of *profile* are prepared with their body's digest."""
        return Need.BODY_DIGEST in self._broker.scheme(profile).needs

    def authorize(
        self,
        flow: HTTPFlow,
        view: RequestView,
        credential: Credential,
        body_digest: str | None,
    ) -> Changes:
        """
        Remove everything that the scheme owns from the request, then set its fields.

        *view* is what was decided about; *body_digest* is that of `body.digest`,
        None where `needs_body` says no.
        """
        scheme = self._broker.scheme(credential.profile)
        learned = None
        if self._learned:
            learned = self._learned.get(_place(view, credential.profile))
        changes = scheme.prepare(
            view,
            credential,
            body_digest,
            learned,
            self._broker.clock.wall(),
            self._broker.nonce(),
        )
        _apply(flow, scheme, changes)
        return changes

    def learn(self, view: RequestView, profile: str, learned: str) -> None:
        """Keep what the server told for the next request of *profile* to it."""
        self._learned[_place(view, profile)] = learned


def _place(view: RequestView, profile: str) -> _Place:
    return profile, view.host.lower(), view.port


def _apply(flow: HTTPFlow, scheme: Scheme, changes: Changes) -> None:
    fields = flow.request.headers
    # One walk over them; mitmproxy's own methods take several for each name.
    owned = encoded(scheme.fields)
    fields.fields = tuple(
        [field for field in fields.fields if field[0].lower() not in owned]
    )
    if scheme.query and "?" in flow.request.path:
        _remove_query(flow, scheme.query)
    for name, value in changes.fields:
        text = value.reveal() if isinstance(value, Secret) else value
        # Every field name is the same in any case (RFC 9110 §5.1); the usual
        # spelling serves whoever reads the traffic.
        spelt = name.title()
        if name in scheme.fields:  # there is none now
            fields.fields += ((spelt.encode(), text.encode("utf-8", _ANY)),)
        else:
            fields[spelt] = text


def _remove_query(flow: HTTPFlow, owned: frozenset[str]) -> None:
    path, _, query = flow.request.path.partition("?")
    parts = query.split("&")
    kept = [part for part in parts if name_of(part) not in owned]
    if len(kept) != len(parts):
        flow.request.path = f"{path}?{'&'.join(kept)}" if kept else path
