"""The main job: a request without any credential comes back answered."""

from __future__ import annotations

import pytest

from harness import Place, Proxy, Sandbox, curl

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


@pytest.mark.parametrize(
    "grant", ["refresh_token", "jwt_bearer", "client_credentials", "developer_token"]
)
def test_reverse_listener_answers_and_heals(
    place: Place, sandbox: Sandbox, free_port: int, grant: str
):
    """Without proxy settings and without a CA: 200, also after the token died."""
    config = sandbox.config(
        "reverse",
        f'[[listeners]]\naddress = "127.0.0.1:{free_port}"\n'
        'reverse = "https://api.box.com"\n',
        source=grant,
    )
    proxy = Proxy(place, config)
    me = f"http://127.0.0.1:{proxy.reverse_port()}/2.0/users/me"

    answer = curl(me)

    assert answer.status == 200, (answer, proxy.process.output)
    assert answer.json["type"] == "user"
    if grant == "developer_token":
        return  # nothing renews it
    sandbox.revoke()
    assert curl(me).status == 200
    assert sandbox.statuses("/2.0/users/me") == [200, 401, 200]
    assert len(sandbox.token_requests()) == 2


def test_nobody_reaches_the_sandboxs_control_by_the_proxy(
    place: Place, sandbox: Sandbox
):
    """Whoever may use the proxy may not read secrets or make tokens by it."""
    proxy = Proxy(place, sandbox.state / "client_credentials.toml")
    origin, _, key = sandbox.control.rpartition("/")
    tls = f"https://127.0.0.1:{sandbox.port}"
    asked = [
        *(f"{place}/_sandbox/secrets" for place in (origin, tls, f"{tls}/{key}")),
        "https://api.box.com/_sandbox/secrets",
        f"https://api.box.com/{key}/_sandbox/secrets",
    ]

    answers = [proxy.curl("-k", url) for url in asked]

    assert [answer.status for answer in answers] == [501] * len(asked)
    secrets = sandbox.call("GET", "secrets")["client_secrets"]
    assert not any(s in str(answer.body) for s in secrets for answer in answers)
