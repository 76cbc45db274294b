"""A collection that refreshes by itself, with the refresh token that we have too."""

from __future__ import annotations

from harness import Place, Proxy, Sandbox
from newman import Run, files_for_uploads, newman
from own_tokens import app_credentials

ME = "https://api.box.com/2.0/users/me"
SAVED = r"dev: a client redeemed the refresh token by itself, the next one is saved"
OLD = r"dev: a client redeems a refresh token that was replaced before"


def refreshing(place: Place, sandbox: Sandbox, proxy: Proxy, *arguments: str) -> Run:
    """Run the collection with its auto-refresh on, and a token that has expired."""
    client_id, client_secret = app_credentials(sandbox)
    return newman(
        place,
        proxy,
        "auto_refresh",
        *arguments,
        control=sandbox.control,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=(sandbox.state / "refresh_token.txt").read_text().strip(),
        enable_auto_refresh_access_token="true",
        expires_at="1",
        **files_for_uploads(place.root),
    )


def test_chain_goes_on_for_both(place: Place, sandbox: Sandbox):
    """Postman redeems twice, then everbearer does, and goes on: one at a time."""
    proxy = Proxy(place, sandbox.state / "refresh_token.toml")

    run = refreshing(place, sandbox, proxy, "--folder", "Both renew")

    assert run.failures == [], run.output
    assert (run.count("items"), run.count("assertions")) == (6, 10)
    proxy.process.wait_for(f"(?s:(.*{SAVED}){{2}})")
    assert [entry["status"] for entry in sandbox.token_requests()] == [200] * 3
    sandbox.call("POST", "tokens/expire", {})
    assert proxy.curl(ME).status == 200
    assert [entry["status"] for entry in sandbox.token_requests()] == [200] * 4
    counters = sandbox.call("GET", "requests")["counters"]
    assert counters["most_overlapping_redeems"] == 1


def test_requests_go_on_where_postmans_refresh_token_is_old(
    place: Place, sandbox: Sandbox
):
    """After a renewal of ours Postman cannot refresh, what it sends is answered."""
    proxy = Proxy(place, sandbox.state / "refresh_token.toml")

    run = refreshing(place, sandbox, proxy)

    assert run.failures == [], run.output
    assert run.count("assertions") == 12
    proxy.process.wait_for(OLD)
    assert [entry["status"] for entry in sandbox.token_requests()] == [
        *[200] * 3,
        *[400] * 2,
    ]
    assert proxy.curl(ME).status == 200
