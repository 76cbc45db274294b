"""A request acts as the same user before and after its token was healed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import Answer, Place, Sandbox
from test_refreshing_clients import ME, Client

OTHER = "200002"


@pytest.fixture
def client(place: Place, sandbox: Sandbox) -> Client:
    """Give a tool that redeems the refresh token of a profile that has as_user."""
    config: Path = sandbox.state / "refresh_token.toml"
    grant = 'grant = "refresh_token"'
    text = config.read_text()
    assert grant in text
    config.write_text(text.replace(grant, f'{grant}\nas_user = "{OTHER}"', 1))
    client = Client(sandbox, place)
    assert client.redeem().status == 200
    return client


def ask(client: Client) -> Answer:
    """Ask with the client's own token."""
    bearer = f"Authorization: Bearer {client.access_token}"
    return client.proxy.curl("-H", bearer, ME)


def test_own_token_is_not_healed_into_another_user(client: Client):
    """Without As-User it is its owner's: its 401 is the client's, each time."""
    assert ask(client).json["id"] != OTHER
    client.sandbox.call("POST", "tokens/expire", {})
    client.sandbox.forget()
    for _ in range(2):
        assert ask(client).status == 401
    served = client.sandbox.requests(path="/2.0/users/me")
    assert [(each["status"], each["as_user"]) for each in served] == [(401, None)] * 2
