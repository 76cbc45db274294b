"""POST /oauth2/token and /oauth2/revoke."""

from everbearer.sandbox import shapes
from everbearer.sandbox.message import Answer
from everbearer.sandbox.world import Call


def token(call: Call) -> Answer:
    """Return a token response, changed as a fault wants it."""
    server, form = call.world.authorization, call.request.form()
    effect = call.effect
    stuck = server.last(form) if effect and effect.same_token else None
    body = stuck or server.token(form)
    if effect:
        body = {
            name: value
            for name, value in {**body, **effect.json}.items()
            if name not in effect.omit
        }
    return shapes.token_answer(body)


def revoke(call: Call) -> Answer:
    """Revoke a token."""
    return call.world.authorization.revoke(call.request.form())
