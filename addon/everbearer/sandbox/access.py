"""Who may make a call: the bearer token, As-User, and a downscoped token's limits."""

from everbearer.sandbox import shapes
from everbearer.sandbox.accounts import USERS, User
from everbearer.sandbox.message import Refused, Request
from everbearer.sandbox.routing import Access, Route
from everbearer.sandbox.tokens import AccessToken
from everbearer.sandbox.world import Call, World


def authorize(world: World, request: Request, access: Access) -> Call:
    """
    Return *request* as a call of its token's user; raises Refused.

    Counts the token as used, which for a new pair retires the old one.
    """
    call = Call(world, request, ())
    if access is Access.OPEN:
        return call
    token = world.tokens.check(_bearer(request, access))
    if token is None:
        raise Refused(shapes.invalid_token())
    call.token = token
    call.acting = _acting_user(token, request.fields.get("As-User"))
    return call


def limit(call: Call, route: Route) -> None:
    """Raise Refused if a downscoped token does not cover this call."""
    restriction = call.token.restriction if call.token else None
    if restriction is None:
        return
    if not restriction.scopes & route.scopes:
        raise Refused(shapes.insufficient_scope())
    if restriction.resource is not None and not call.world.tree.covers(
        restriction.resource, call.request.path
    ):
        raise Refused(shapes.insufficient_scope())


def _bearer(request: Request, access: Access) -> str:
    bearers = request.bearers()
    if len(bearers) > 1:
        raise Refused(shapes.client_error(400))
    if not bearers and access is Access.BEARER_OR_QUERY:
        bearers = [request.parameter("access_token") or ""]
    if not bearers or not bearers[0]:
        raise Refused(shapes.no_token())
    return bearers[0]


def _acting_user(token: AccessToken, as_user: str | None) -> User:
    if as_user is None:
        return token.user
    # DOC `jwt/as-user.md`: an app that may act as users, and nobody's service account.
    if not token.user.service_account:
        raise Refused(shapes.insufficient_scope())
    user = USERS.get(as_user.strip())
    if user is None or user.service_account:
        raise Refused(shapes.client_error(403))
    return user
