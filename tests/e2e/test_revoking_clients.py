"""A client revokes a token of ours by itself, by the proxy: nobody asks in vain."""

from __future__ import annotations

import re

import pytest

from config_file import unnamed
from harness import Place, Proxy, Sandbox
from own_tokens import TOKEN_URL, app

ME = "https://api.box.com/2.0/users/me"
REVOKE_URL = "https://api.box.com/oauth2/revoke"
HINT = (
    "the refresh token has expired or was revoked, or another program redeemed it"
    " outside this proxy; run: everbearer login dev"
)


class Revoked:
    """A grant that is in use, and then revoked by a client with one of its tokens."""

    def __init__(self, place: Place, sandbox: Sandbox, kind: str) -> None:
        self.config = sandbox.state / "refresh_token.toml"
        self.seed = sandbox.state / "refresh_token.txt"
        self.proxy = Proxy(place, self.config)
        form = [*app(sandbox), "-d", "grant_type=refresh_token"]
        form += ["-d", f"refresh_token={self.seed.read_text().strip()}"]
        self.pair = self.proxy.curl(*form, TOKEN_URL).json
        assert self.proxy.curl(ME).status == 200
        sandbox.forget()
        token = f"token={self.pair[kind]}"
        revoked = self.proxy.curl(*app(sandbox), "-d", token, REVOKE_URL)
        assert (revoked.status, revoked.body) == (200, b"")


@pytest.fixture(params=["access_token", "refresh_token"])
def revoked(request, place: Place, sandbox: Sandbox) -> Revoked:
    """Revoke by either of the pair, which ends both."""
    return Revoked(place, sandbox, request.param)


def test_a_revoked_grant_is_asked_for_once(
    place: Place, sandbox: Sandbox, revoked: Revoked
):
    """One 401 and one token request in all; every client is told what to do."""
    for _ in range(3):
        answer = revoked.proxy.curl(ME)
        assert (answer.status, answer.json["code"]) == (502, "reauthorization_required")
        assert unnamed(answer.json["hint"]) == HINT
    renewed = place.everbearer("renew", "-c", str(revoked.config), "dev")

    assert renewed.returncode == 4
    assert HINT in unnamed(renewed.stderr)
    asked = [(entry["path"], entry["status"]) for entry in sandbox.requests()]
    assert asked == [
        ("/oauth2/revoke", 200),
        ("/2.0/users/me", 401),
        ("/oauth2/token", 400),
        ("/oauth2/token", 400),  # a person asked
    ]
    told = revoked.proxy.process.output
    assert told.count("not renewed") == 1
    assert revoked.pair["access_token"] not in told
    assert revoked.pair["refresh_token"] not in told


def test_status_tells_of_a_revoked_grant(place: Place, revoked: Revoked):
    """Its refresh token is not said to live on."""
    assert revoked.proxy.curl(ME).status == 502
    status = place.everbearer("status", "-c", str(revoked.config))
    assert re.search(r" refused +failed \d+ \w+ ago", status.stdout)
    assert "ends in" not in status.stdout
    assert HINT in unnamed(status.stderr)


def test_a_new_refresh_token_ends_it(sandbox: Sandbox, revoked: Revoked):
    """Put where the hint says, it serves the next request, without a restart."""
    assert revoked.proxy.curl(ME).status == 502
    seed = sandbox.call("POST", "refresh_tokens")["refresh_token"]
    revoked.seed.write_text(seed)
    revoked.proxy.process.wait_for("is in force")
    assert revoked.proxy.curl(ME).status == 200
