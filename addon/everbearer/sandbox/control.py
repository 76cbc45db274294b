"""
The control API under /_sandbox/: what tests do to the server, and learn from it.

It is served on a loopback port of its own, below a path that nobody can guess and
that only the state folder's owner can read: a proxy on this machine reaches the
port for whoever asks it to. It is never served to a web page.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from everbearer.sandbox import shapes
from everbearer.sandbox.accounts import OWNER
from everbearer.sandbox.content import synthetic
from everbearer.sandbox.faults import Effect, Fault
from everbearer.sandbox.journal import Phase, token_label
from everbearer.sandbox.matching import Match
from everbearer.sandbox.message import Answer, Refused
from everbearer.sandbox.routing import Access, Handler, Route, Site
from everbearer.sandbox.tokens import AccessToken
from everbearer.sandbox.world import Call

WAIT_S = 30.0


def control_routes(
    box_calls: Sequence[tuple[Site, Route]], key: str
) -> list[tuple[Site, Route]]:
    """
    Return the calls of the control API, below */key*.

    Its first page lists *box_calls* too.
    """
    table: list[tuple[str, str, Handler]] = [
        ("GET", "tokens", list_tokens),
        ("POST", "tokens/revoke", revoke_tokens),
        ("POST", "tokens/expire", expire_tokens),
        ("POST", "token_life", set_token_life),
        ("POST", "strict", set_strict),
        ("POST", "clock", shift_clock),
        ("POST", "refresh_tokens", new_refresh_token),
        ("GET", "secrets", list_secrets),
        ("POST", "faults", add_fault),
        ("GET", "faults", list_faults),
        ("DELETE", "faults", clear_faults),
        ("POST", "release", release),
        ("GET", "requests", list_requests),
        ("DELETE", "requests", clear_requests),
        ("GET", "requests/wait", wait_for_requests),
        ("POST", "files", add_file),
    ]
    page = {
        "box": [f"{site.name} {each.method} {each.path}" for site, each in box_calls],
        "control": [handler.__doc__ for _, _, handler in table],
    }
    table.append(("GET", "", lambda _: _json(page)))
    routes = [
        Route(method, f"/{key}/_sandbox/{path}", _guarded(handler), Access.OPEN)
        for method, path, handler in table
    ]
    return [(Site.CONTROL, route) for route in routes]


def _guarded(handler: Handler) -> Handler:
    def guarded(call: Call) -> Any:
        # A page may send a simple request to loopback without asking anybody.
        if "Origin" in call.request.fields or "Sec-Fetch-Site" in call.request.fields:
            raise Refused(_json({"error": "not for web pages"}, 403))
        try:
            return handler(call)
        except ValueError as error:
            raise Refused(_json({"error": str(error)}, 400)) from None

    return guarded


def list_tokens(call: Call) -> Answer:
    """GET tokens: the access tokens by label, with profile and time left."""
    now = call.world.clock.now()
    return _json(
        [
            {
                "label": token_label(token.value),
                "profile": token.profile,
                "user": token.user.id,
                "seconds_left": token.expires_at - now,
            }
            for token in call.world.tokens
        ]
    )


def revoke_tokens(call: Call) -> Answer:
    """POST tokens/revoke {profile?, client_id?, access_token?}: dead at once."""
    return _json({"revoked": call.world.tokens.kill(_chosen(call.request.json()))})


def expire_tokens(call: Call) -> Answer:
    """POST tokens/expire {profile?, client_id?, access_token?}: their life ends now."""
    return _json({"expired": call.world.tokens.expire(_chosen(call.request.json()))})


def set_token_life(call: Call) -> Answer:
    """POST token_life {seconds}: for the tokens issued from now on."""
    call.world.tokens.life = _number(call.request.json(), "seconds")
    return _json({"seconds": call.world.tokens.life})


def set_strict(call: Call) -> Answer:
    """POST strict {on}: refresh tokens rotate as RFC 9700 §4.14.2 wants."""
    call.world.tokens.strict = bool(call.request.json().get("on", True))
    return _json({"on": call.world.tokens.strict})


def shift_clock(call: Call) -> Answer:
    """POST clock {shift}: the servers' clock, seconds from the real one."""
    call.world.clock.shift = _number(call.request.json(), "shift")
    return _json({"shift": call.world.clock.shift, "now": call.world.clock.now()})


def new_refresh_token(call: Call) -> Answer:
    """POST refresh_tokens: the refresh token of a new consent to the app "dev"."""
    pair = call.world.tokens.grant(call.world.accounts.apps["dev"], OWNER)
    return _json({"refresh_token": pair.refresh_token})


def list_secrets(call: Call) -> Answer:
    """GET secrets: all that must be found nowhere else."""
    world = call.world
    key = world.accounts.jwt_key
    return _json(
        {
            "tokens": world.tokens.ever_issued,
            "client_secrets": [
                app.client_secret for app in world.accounts.apps.values()
            ],
            "assertions": world.authorization.assertions,
            "passphrase": key.passphrase,
            "private_key": key.private_key,
        }
    )


def add_fault(call: Call) -> Answer:
    """POST faults {match, effect, times}: see `faults.Effect`; times null: for ever."""
    given: Mapping[str, Any] = call.request.json()
    unknown = set(given) - {"match", "effect", "times"}
    if unknown:
        raise ValueError(f"a fault has no {sorted(unknown)}")
    times = given.get("times")
    if times is not None and (not isinstance(times, int) or times < 1):
        raise ValueError("times must be a positive integer, or null for ever")
    fault = call.world.faults.add(
        Match.from_json(given.get("match", {})),
        Effect.from_json(given.get("effect", {})),
        times,
    )
    return _json(_fault_to_json(fault), 201)


def list_faults(call: Call) -> Answer:
    """GET faults: those in force."""
    faults = call.world.faults.in_force()
    return _json([_fault_to_json(fault) for fault in faults])


def clear_faults(call: Call) -> Answer:
    """DELETE faults: none is in force, nothing is held."""
    call.world.faults.clear()
    return Answer(204)


def release(call: Call) -> Answer:
    """POST release {id?}: let go what that fault holds, and end it."""
    fault_id = call.request.json().get("id")
    if fault_id is not None and not isinstance(fault_id, int):
        raise ValueError("id must be the number of a fault")
    return _json({"released": call.world.faults.release(fault_id)})


def list_requests(call: Call) -> Answer:
    """GET requests?since=&method=&host=&path=&grant_type=: entries and counters."""
    journal = call.world.journal
    match, since = _question(call)
    return _json(journal.to_json(journal.select(match, Phase.HEAD, since)))


def clear_requests(call: Call) -> Answer:
    """DELETE requests: forget them."""
    call.world.journal.clear()
    return Answer(204)


async def wait_for_requests(call: Call) -> Answer:
    """
    GET requests/wait?count=&phase=&timeout=&since=…: as soon as there are *count*.

    *phase* is "head", "arrived" (the default: held ones too) or "answered"; the
    timeout is in seconds and answered with 408.
    """
    request, journal = call.request, call.world.journal
    match, since = _question(call)
    phase = Phase(request.parameter("phase") or Phase.ARRIVED)
    count = int(request.parameter("count") or 1)
    timeout_s = float(request.parameter("timeout") or WAIT_S)
    try:
        entries = await journal.wait(match, phase, since, count, timeout_s)
    except TimeoutError:
        found = journal.select(match, phase, since)
        return _json({"error": "timeout", **journal.to_json(found)}, 408)
    return _json(journal.to_json(entries))


async def add_file(call: Call) -> Answer:
    """POST files {size, name?}: a file of any size, made when it is read."""
    given = call.request.json()
    size = int(_number(given, "size"))
    content = await asyncio.to_thread(synthetic, size)
    world = call.world
    name = str(given.get("name", f"synthetic-{world.tree.new_id()}"))
    file = world.tree.add_file(world.tree.root, name, OWNER, content, world.clock.now())
    return _json({"id": file.id, "sha1": content.sha1, "size": size}, 201)


def _chosen(given: Mapping[str, object]) -> Callable[[AccessToken], bool]:
    for key in given:
        if key not in ("profile", "client_id", "access_token"):
            raise ValueError(
                f"no key {key!r}; there are profile, client_id, access_token"
            )

    def chosen(token: AccessToken) -> bool:
        return (
            given.get("profile", token.profile) == token.profile
            and given.get("client_id", token.client_id) == token.client_id
            and given.get("access_token", token.value) == token.value
        )

    return chosen


def _question(call: Call) -> tuple[Match, int]:
    parameter = call.request.parameter
    match = Match(
        method=parameter("method"),
        host=parameter("host"),
        path=parameter("path"),
        grant_type=parameter("grant_type"),
    )
    return match, int(parameter("since") or 0)


def _number(given: Mapping[str, object], key: str) -> float:
    value = given.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{key} must be a number")  # noqa: TRY004  one class for all that is wrong
    return value


def _fault_to_json(fault: Fault) -> dict[str, object]:
    return {
        "id": fault.id,
        "match": asdict(fault.match),
        "effect": asdict(fault.effect),
        "times": fault.times,
        "taken": fault.taken,
    }


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), shapes.JSON_FIELDS)
