"""From a request to its answer, whatever happens on the way."""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass

from everbearer.sandbox import shapes
from everbearer.sandbox.access import authorize, limit
from everbearer.sandbox.bodies import Buffer
from everbearer.sandbox.faults import Effect
from everbearer.sandbox.message import Answer, Refused, Request
from everbearer.sandbox.routing import (
    Access,
    Route,
    Router,
    Site,
    needs_bearer,
    site_of,
)
from everbearer.sandbox.world import World

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Where a request leads; without *route* it leads nowhere."""

    site: Site | None
    route: Route | None = None
    args: tuple[str, ...] = ()


class Dispatcher:
    """Answers requests for the hosts of one listener; what is no call is 501."""

    def __init__(self, world: World, router: Router, sites: frozenset[Site]) -> None:
        self._world = world
        self._router = router
        self._sites = sites

    def find(self, host: str, method: str, path: str) -> Found:
        """Return where a request leads, from its head alone."""
        site = site_of(host)
        if site is Site.CONTROL and site not in self._sites:
            # A person's browser cannot resolve Box's names to this machine.
            site = Site.ACCOUNT
        if site not in self._sites:
            return Found(None)
        found = self._router.find(site, method, path)
        return Found(site, *found) if found else Found(site)

    def answer(
        self, found: Found, request: Request, effect: Effect | None = None
    ) -> Answer | Awaitable[Answer]:
        """Return the answer; never raises."""
        try:
            if found.route is None:
                return self._unknown(found, request)
            result = self._handled(found, found.route, request, effect)
        except Exception as error:  # noqa: BLE001  whatever it is, the client hears it
            return _failure(error)
        return result if isinstance(result, Answer) else _awaited(result)

    def _unknown(self, found: Found, request: Request) -> Answer:
        if needs_bearer(found.site, request.path):
            authorize(self._world, request, Access.BEARER)
        return shapes.client_error(501)

    def _handled(
        self, found: Found, route: Route, request: Request, effect: Effect | None
    ) -> Answer | Awaitable[Answer]:
        call = authorize(self._world, request, route.access)
        call.args = found.args
        call.effect = effect
        limit(call, route)
        receiver = request.received.receiver
        if isinstance(receiver, Buffer) and receiver.overflown:
            return shapes.client_error(413)
        return route.handler(call)


async def _awaited(result: Awaitable[Answer]) -> Answer:
    try:
        return await result
    except Exception as error:  # noqa: BLE001  whatever it is, the client hears it
        return _failure(error)


def _failure(error: Exception) -> Answer:
    if isinstance(error, Refused):
        return error.answer
    if isinstance(error, ValueError):
        return shapes.client_error(400, message=str(error))
    logger.error("the sandbox failed", exc_info=error)
    return shapes.client_error(500)
