"""A Postman collection runs by Newman as if there were no OAuth."""

from __future__ import annotations

import re

import pytest

from harness import Place, Proxy, Sandbox
from newman import files_for_chunks, files_for_uploads, newman

REQUESTS = 34
CHECKS = 66
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
USERS = "Users, with whatever stands for a token"
CALL = re.compile(r"(content|upload_sessions)(?:/\w+)?\Z")


def test_collection_runs_across_an_expiry_and_a_revocation(
    place: Place, sandbox: Sandbox
):
    """Every request is answered as the collection expects, with its own bytes."""
    proxy = Proxy(place, sandbox.state / "all.toml")

    run = newman(
        place,
        proxy,
        "box",
        control=sandbox.control,
        **files_for_uploads(place.root),
        **files_for_chunks(place.root),
    )

    assert run.failures == [], run.output
    assert (run.count("requests"), run.count("assertions")) == (REQUESTS, CHECKS)
    assert met_a_dead_token(sandbox) == [
        ("POST", "upload.box.com", "content"),
        ("PUT", "upload.box.com", "upload_sessions"),
    ]
    # One at the start, one for each dead one; the service account's own.
    assert [entry["grant_type"] for entry in sandbox.token_requests()] == [
        *["refresh_token"] * 3,
        JWT_BEARER,
    ]


def met_a_dead_token(sandbox: Sandbox) -> list[tuple[str, str, str]]:
    """Return what was answered 401: method, host, and which call it was."""
    return [
        (entry["method"], entry["host"], CALL.search(entry["path"])[1])
        for entry in sandbox.requests(status=401)
    ]


@pytest.mark.parametrize("ca", ["NODE_EXTRA_CA_CERTS", "--ssl-extra-ca-certs"])
def test_newman_trusts_the_proxy_by_either_way(place: Place, sandbox: Sandbox, ca: str):
    """The variable of Node.js and Newman's own option are enough, each alone."""
    proxy = Proxy(place, sandbox.state / "all.toml")

    run = newman(place, proxy, "box", "--folder", USERS, ca=ca)

    assert run.failures == [], run.output
    assert (run.count("requests"), run.count("assertions")) == (5, 10)


def test_newman_does_not_trust_the_proxy_untold(place: Place, sandbox: Sandbox):
    """Without its CA every request fails: nothing above is owed to no check."""
    proxy = Proxy(place, sandbox.state / "all.toml")

    run = newman(place, proxy, "box", "--folder", USERS, ca="")

    assert run.report["stats"]["requests"] == {"total": 5, "pending": 0, "failed": 5}
    assert sandbox.requests() == []
