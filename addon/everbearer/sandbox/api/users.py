"""GET /users/me and /users/:id."""

from everbearer.sandbox import shapes
from everbearer.sandbox.accounts import USERS, User
from everbearer.sandbox.api.items import only_fields, user_mini
from everbearer.sandbox.message import Answer
from everbearer.sandbox.world import Call

_BODIES: dict[str, bytes] = {}


def me(call: Call) -> Answer:
    """Return whom the request acts as."""
    return _answer(call, call.user)


def user(call: Call) -> Answer:
    """Return a user of the enterprise."""
    found = USERS.get(call.args[0])
    return _answer(call, found) if found else shapes.client_error(404)


def full(user: User) -> dict[str, object]:
    """Return OAS's UserFull, as far as the sandbox has it."""
    return {
        **user_mini(user),
        "created_at": "2024-01-01T00:00:00-08:00",
        "modified_at": "2024-01-01T00:00:00-08:00",
        "language": "en",
        "timezone": "America/Los_Angeles",
        "space_amount": 10_737_418_240,
        "space_used": 0,
        "max_upload_size": 5_368_709_120,
        "status": "active",
        "job_title": "",
        "phone": "",
        "address": "",
        "avatar_url": f"https://app.box.com/api/avatar/large/{user.id}",
        "notification_email": None,
    }


def _answer(call: Call, user: User) -> Answer:
    if call.request.query:
        return shapes.ok(only_fields(call, full(user)))
    # The one call that is asked in a loop is encoded once.
    body = _BODIES.get(user.id)
    if body is None:
        body = _BODIES[user.id] = shapes.php_json(full(user))
    return Answer(200, body, shapes.JSON_FIELDS)
