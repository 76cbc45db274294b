"""Tokens that a client got by itself, without everbearer."""

from __future__ import annotations

import re

from harness import Answer, Sandbox, curl

TOKEN_URL = "https://api.box.com/oauth2/token"


def direct(sandbox: Sandbox, *arguments: str) -> Answer:
    """Ask the sandbox by curl, past every proxy."""
    return curl(
        *("--cacert", str(sandbox.state / "ca.pem")),
        *("--connect-to", f"::127.0.0.1:{sandbox.port}"),
        *arguments,
    )


def app_credentials(sandbox: Sandbox) -> tuple[str, str]:
    """Return client_id and client_secret of the app whose users consent."""
    config = (sandbox.state / "refresh_token.toml").read_text()
    client_id = re.search(r'client_id = "(\w+)"', config)
    assert client_id
    return client_id[1], (sandbox.state / "dev_client_secret.txt").read_text().strip()


def app(sandbox: Sandbox) -> list[str]:
    """Return the form that names that app: for curl."""
    client_id, secret = app_credentials(sandbox)
    return ["-d", f"client_id={client_id}", "-d", f"client_secret={secret}"]


def own_token(sandbox: Sandbox) -> str:
    """Return a good access token of the owner, of a grant of its own."""
    seed = sandbox.call("POST", "refresh_tokens")["refresh_token"]
    form = ["-d", "grant_type=refresh_token", "-d", f"refresh_token={seed}"]
    return direct(sandbox, *app(sandbox), *form, TOKEN_URL).json["access_token"]


def dead_token(sandbox: Sandbox) -> str:
    """Return an access token that was revoked."""
    token = own_token(sandbox)
    assert sandbox.revoke(access_token=token) == 1
    return token
