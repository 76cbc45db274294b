"""The main job: a request without any credential comes back answered."""

from __future__ import annotations

import pytest

from harness import Place, Proxy, Sandbox

ME = "https://api.box.com/2.0/users/me"


@pytest.mark.parametrize(
    "grant", ["refresh_token", "jwt_bearer", "client_credentials", "developer_token"]
)
def test_request_without_credential_is_answered(
    place: Place, sandbox: Sandbox, grant: str
):
    """With each grant an unauthenticated request by the proxy is answered 200."""
    proxy = Proxy(place, sandbox.state / f"{grant}.toml")

    answer = proxy.curl(ME)

    assert answer.status == 200, (answer, proxy.process.output)
    assert answer.json["type"] == "user"
