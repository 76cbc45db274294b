"""A sandbox in the test's own loop, with a clock that the test moves."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from everbearer.sandbox.accounts import make_accounts
from everbearer.sandbox.server import Sandbox, SandboxOptions

START = 1_750_000_000.25


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Bench:
    """A running sandbox and a client that reaches all of its hosts."""

    def __init__(self, sandbox: Sandbox, state: Path, clock: Clock) -> None:
        self.sandbox = sandbox
        self.state = state
        self.clock = clock
        context = ssl.create_default_context(cafile=state / "ca.pem")
        self.client = httpx.AsyncClient(verify=context, trust_env=False, timeout=20)

    async def ask(
        self, method: str, url: str, token: str | None = None, **more: Any
    ) -> httpx.Response:
        """Send a request to a Box address, as `curl --connect-to` would."""
        given = httpx.URL(url)
        headers = {"Host": given.host, **more.pop("headers", {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return await self.client.request(
            method,
            given.copy_with(host="127.0.0.1", port=self.sandbox.port),
            headers=headers,
            extensions={"sni_hostname": given.host},
            **more,
        )

    async def api(
        self, method: str, path: str, token: str | None = None, **more: Any
    ) -> httpx.Response:
        """Send a request to api.box.com/2.0."""
        return await self.ask(method, f"https://api.box.com/2.0{path}", token, **more)

    async def control(self, method: str, path: str, **json_body: Any) -> Any:
        """Use the control API on its own port; return its JSON."""
        response = await self.client.request(
            method,
            f"{self.sandbox.control_url}/_sandbox/{path}",
            json=json_body or None,
        )
        assert response.status_code < 400, response.text
        return response.json() if response.content else None

    async def fault(self, effect: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Put a fault in force."""
        fault: dict[str, Any] = await self.control(
            "POST", "faults", effect=effect, **more
        )
        return fault

    async def redeem(self, refresh_token: str, **more: Any) -> httpx.Response:
        """Redeem a refresh token of the app "dev"."""
        return await self.token(
            grant_type="refresh_token", refresh_token=refresh_token, **more
        )

    async def token(self, app: str = "dev", **form: str) -> httpx.Response:
        """Send a token request as an app, whose credentials are filled in."""
        client_id, client_secret = self.credentials(app)
        filled = {"client_id": client_id, "client_secret": client_secret, **form}
        return await self.ask("POST", "https://api.box.com/oauth2/token", data=filled)

    async def service_token(self) -> str:
        """Return a new access token of the app "ccg"'s service account."""
        response = await self.token(
            "ccg",
            grant_type="client_credentials",
            box_subject_type="enterprise",
            box_subject_id="100001",
        )
        token: str = response.json()["access_token"]
        return token

    def credentials(self, app: str) -> tuple[str, str]:
        """Return an app's client id and secret."""
        kept = json.loads((self.state / "state.json").read_text())
        client_id, client_secret = kept["accounts"]["clients"][app]
        return client_id, client_secret

    @property
    def seed(self) -> str:
        """The refresh token that the state folder offers."""
        return (self.state / "refresh_token.txt").read_text()

    @property
    def developer_token(self) -> str:
        """The developer token."""
        return (self.state / "developer_token.txt").read_text()

    def assertion(
        self,
        algorithm: str = "RS256",
        head: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return a valid assertion, but for the claims given; None leaves one out."""
        config = json.loads((self.state / "jwt_config.json").read_text())
        app = config["boxAppSettings"]
        usual = {
            "iss": app["clientID"],
            "sub": config["enterpriseID"],
            "box_sub_type": "enterprise",
            "aud": "https://api.box.com/oauth2/token",
            "jti": token_hex(16),
            "exp": int(self.clock.now) + 30,
        }
        merged = {**usual, **claims}
        return jwt.encode(
            {name: value for name, value in merged.items() if value is not None},
            _private_key(app["appAuth"]),
            algorithm=algorithm,
            headers={"kid": app["appAuth"]["publicKeyID"]} if head is None else head,
        )


def _private_key(app_auth: dict[str, str]) -> Any:
    return load_pem_private_key(
        app_auth["privateKey"].encode(), password=app_auth["passphrase"].encode()
    )


Starter = Callable[..., Any]


@pytest.fixture(scope="session")
def accounts() -> str:
    """Return a state file with credentials: a new RSA key takes its time."""
    return json.dumps({"accounts": make_accounts().to_json(), "grants": [], "seed": ""})


@pytest.fixture
async def start(real: None, tmp_path: Path, accounts: str) -> AsyncIterator[Starter]:
    """Return what starts sandboxes, all on one folder, and stops them."""
    benches: list[Bench] = []
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "sandbox.lock").touch(mode=0o600)
    (tmp_path / "state" / "state.json").write_text(accounts)

    async def begin(clock: Clock | None = None, **options: Any) -> Bench:
        clock = clock or Clock()
        state = tmp_path / "state"
        sandbox = Sandbox(SandboxOptions(state=state, **options), clock)
        await sandbox.start()
        benches.append(Bench(sandbox, state, clock))
        return benches[-1]

    yield begin
    for bench in benches:
        await bench.client.aclose()
        await bench.sandbox.stop()
    # asyncio closes the transports of TLS connections one turn later.
    await asyncio.sleep(0)


@pytest.fixture
async def bench(start: Starter) -> Bench:
    """Return a running sandbox with the usual options."""
    running: Bench = await start()
    return running
