"""Documents as the dashboard's server tells them; times are seconds since the epoch."""

from __future__ import annotations

from typing import Any

HOUR = 3600.0
NOTHING: dict[str, Any] = {
    "subject": "",
    "is_default": False,
    "state": "none",
    "token": "",
    "issued_at": None,
    "stale_at": None,
    "expired_at": None,
    "expires_at": None,
    "refresh_ends_at": None,
    "refresh_hint": "",
    "renewed_at": None,
    "last": None,
    "served": 0,
    "trouble": None,
    "notices": [],
}


def fresh(name: str, now: float, **more: Any) -> dict[str, Any]:
    """Return a profile that was renewed 20 minutes ago, for an hour."""
    issued = now - 1200
    return (
        NOTHING
        | {
            "name": name,
            "grant": "jwt_bearer",
            "subject": "enterprise 100001",
            "state": "fresh",
            "token": "8f3ac21d",
            "issued_at": issued,
            "stale_at": issued + HOUR - 225,
            "expired_at": issued + HOUR - 30,
            "expires_at": issued + HOUR,
            "renewed_at": issued,
            "last": {
                "at": issued,
                "outcome": "renewed",
                "cause": "stale",
                "words": "the last one was about to end",
            },
            "served": 128,
            "can": {"renew": True, "login": False, "revoke": True},
        }
        | more
    )


def unborn(name: str, **more: Any) -> dict[str, Any]:
    """Return a profile that has had no token yet."""
    can = {"renew": True, "login": False, "revoke": True}
    return NOTHING | {"name": name, "grant": "client_credentials", "can": can} | more


DEAD = {
    "level": "error",
    "profile": "dev",
    "text": "dev: the server says invalid_grant: Refresh token has expired",
    "hint": "run: everbearer login -c /home/olivia/box/all.toml dev",
    "action": "login",
}


def dead(name: str, now: float) -> dict[str, Any]:
    """Return a profile whose refresh token the server has refused."""
    return fresh(
        name,
        now,
        grant="refresh_token",
        subject="",
        state="dead",
        is_default=True,
        token="51be07aa",
        issued_at=now - 2 * HOUR,
        stale_at=now - HOUR - 225,
        expired_at=now - HOUR - 30,
        expires_at=now - HOUR,
        last={
            "at": now - 300,
            "outcome": "failed",
            "cause": "expired",
            "words": "reauthorization_required: Refresh token has expired",
        },
        trouble={
            "code": "reauthorize",
            "message": "the server says invalid_grant: Refresh token has expired",
            "hint": DEAD["hint"],
        },
        can={"renew": True, "login": True, "revoke": True},
    )


def three(now: float) -> list[dict[str, Any]]:
    """Return the profiles of a sandbox."""
    dev = fresh(
        "dev",
        now,
        grant="refresh_token",
        subject="",
        is_default=True,
        refresh_ends_at=now + 54 * 24 * HOUR,
        can={"renew": True, "login": True, "revoke": True},
    )
    jwt = fresh("jwt", now, token="b07e11d9", served=12)
    return [dev, jwt, unborn("ccg", subject="enterprise 100001")]


def row(number: int, at: float, **more: Any) -> dict[str, Any]:
    """Return the row of a request that went as most do."""
    return {
        "id": f"r{number}",
        "at": at,
        "client": "127.0.0.1",
        "user": "",
        "method": "GET",
        "host": "api.box.com",
        "path": f"/2.0/folders/{number}/items",
        "profile": "dev",
        "verdict": "inject",
        "code": "missing",
        "reason": "the request has no Authorization",
        "status": 200,
        "replayed": False,
        "ms": 84.2,
        "token": "8f3ac21d",
        "rule": "box: API",
    } | more


def life(profile: str, token: str, issued: float, **more: Any) -> dict[str, Any]:
    """Return the life of a token for an hour."""
    return {
        "profile": profile,
        "token": token,
        "issued_at": issued,
        "stale_at": issued + HOUR - 225,
        "expires_at": issued + HOUR,
        "ended_at": None,
        "end": "",
    } | more


def mark(
    profile: str, at: float, kind: str, words: str, request: str = ""
) -> dict[str, Any]:
    """Return a mark of the timeline."""
    return {
        "at": at,
        "profile": profile,
        "kind": kind,
        "words": words,
        "request": request,
    }


CURL = (
    "curl -x http://127.0.0.1:8080"
    " --cacert /home/olivia/.mitmproxy/mitmproxy-ca-cert.pem"
    " https://api.box.com/2.0/users/me"
)
SETUP = [
    {
        "title": "curl",
        "text": "One request, by the proxy, with its CA trusted for this one.",
        "lines": [CURL],
    },
    {
        "title": "A shell",
        "text": "Every tool of this shell goes by the proxy.",
        "lines": ['eval "$(everbearer env -c /home/olivia/box/all.toml)"'],
    },
    {
        "title": "The proxy",
        "text": "For tools that have a place for it in their settings.",
        "lines": ["http://127.0.0.1:8080"],
    },
    {
        "title": "The CA",
        "text": "The certificate that tools have to trust.",
        "lines": ["/home/olivia/.mitmproxy/mitmproxy-ca-cert.pem"],
    },
]


def document(now: float, **more: Any) -> dict[str, Any]:
    """Return the state of a proxy that has just started."""
    return {
        "now": now,
        "instance": {
            "version": "0.2.0",
            "source": "/home/olivia/box/all.toml",
            "started": now - 3 * HOUR,
            "workers": 1,
            "not_the_real_box": "",
        },
        "troubles": [],
        "profiles": three(now),
        "lives": [],
        "marks": [],
        "requests": [],
        "setup": SETUP,
    } | more


def story(request: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the explanation of a request."""
    return {
        "request": request,
        "steps": [
            {"stage": "who asks", "words": "anybody on this machine", "last": False},
            {
                "stage": "can it be forwarded",
                "words": "yes, its framing is sound",
                "last": False,
            },
            {
                "stage": "where it goes",
                "words": "https://api.box.com, its certificate checked for api.box.com",
                "last": False,
            },
            {
                "stage": "which rule",
                "words": "rule box: API is for GET of this path",
                "last": False,
            },
            {"stage": "is it a web page's", "words": "no", "last": False},
            {
                "stage": "which profile",
                "words": "dev, the default, or the only one that may serve it",
                "last": False,
            },
            {
                "stage": "its own credential",
                "words": "the request has no Authorization",
                "last": True,
            },
        ],
        "hint": "",
        "note": "",
        "challenge": "",
        "rejected": "",
        "renewal": None,
        "failure": None,
        "replay": None,
    } | more


def healed(request: dict[str, Any]) -> dict[str, Any]:
    """Return the explanation of a request whose first token was refused."""
    at = request["at"]
    return story(
        request,
        rejected="51be07aa",
        challenge="Bearer, invalid_token (the token has ended, was revoked, or is not"
        ' of this server), the server says "The access token provided is invalid"',
        renewal={
            "at": at - 0.2,
            "cause": "rejected",
            "token": "8f3ac21d",
            "ms": 212.0,
            "words": "the last one was answered 401",
        },
        replay={"at": at - 0.1, "status": 200, "ms": 96.0, "learned": False},
    )
