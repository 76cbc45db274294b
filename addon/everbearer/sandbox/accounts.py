"""Who exists in the sandbox: one enterprise, its users, and their apps."""

import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ENTERPRISE_ID = "100001"
CODE = "authorization_code"
REFRESH = "refresh_token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_CREDENTIALS = "client_credentials"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  a name


@dataclass(frozen=True, slots=True)
class User:
    """A user; a service account acts for an app and may act as others."""

    id: str
    name: str
    login: str
    service_account: bool = False


OWNER = User("200001", "Olivia Owner", "olivia@example.com")
COLLEAGUE = User("200002", "Carl Colleague", "carl@example.com")
JWT_SERVICE = User(
    "300001",
    "JWT app",
    "AutomationUser_300001_1@boxdevedition.com",
    service_account=True,
)
CCG_SERVICE = User(
    "300002",
    "CCG app",
    "AutomationUser_300002_1@boxdevedition.com",
    service_account=True,
)
USERS: Mapping[str, User] = {
    user.id: user for user in (OWNER, COLLEAGUE, JWT_SERVICE, CCG_SERVICE)
}


@dataclass(frozen=True, slots=True)
class App:
    """
    An application known to the authorization server.

    Client ids and secrets have 32 characters: Box's Postman script takes a
    credential of any other length for a missing one.
    """

    profile: str
    grant_types: frozenset[str]
    client_id: str
    client_secret: str = field(repr=False)
    service_account: User | None = None


@dataclass(frozen=True, slots=True)
class JwtKey:
    """The JWT app's key pair, as Box's downloaded configuration file holds it."""

    key_id: str
    private_key: str = field(repr=False)
    passphrase: str = field(repr=False)

    def public_key(self) -> rsa.RSAPublicKey:
        """Return what the authorization server keeps."""
        private = serialization.load_pem_private_key(
            self.private_key.encode(), password=self.passphrase.encode()
        )
        assert isinstance(private, rsa.RSAPrivateKey)
        return private.public_key()


@dataclass(frozen=True, slots=True)
class Accounts:
    """The apps by profile name, the JWT app's key and the developer token."""

    apps: Mapping[str, App]
    jwt_key: JwtKey
    developer_token: str = field(repr=False)

    def app(self, client_id: str) -> App | None:
        """Return the app with this client id."""
        return next(
            (app for app in self.apps.values() if app.client_id == client_id), None
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` makes the same accounts of."""
        return {
            "clients": {
                name: [app.client_id, app.client_secret]
                for name, app in self.apps.items()
            },
            "jwt_key": [
                self.jwt_key.key_id,
                self.jwt_key.private_key,
                self.jwt_key.passphrase,
            ],
            "developer_token": self.developer_token,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Accounts":
        """Return the accounts that `to_json` described."""
        clients: Mapping[str, tuple[str, str]] = kept["clients"]
        return cls(
            apps={
                "dev": App("dev", frozenset({CODE, REFRESH}), *clients["dev"]),
                "jwt": App(
                    "jwt", frozenset({JWT_BEARER}), *clients["jwt"], JWT_SERVICE
                ),
                "ccg": App(
                    "ccg", frozenset({CLIENT_CREDENTIALS}), *clients["ccg"], CCG_SERVICE
                ),
                "devtoken": App("devtoken", frozenset(), *clients["devtoken"]),
            },
            jwt_key=JwtKey(*kept["jwt_key"]),
            developer_token=kept["developer_token"],
        )

    def jwt_config(self) -> str:
        """Return the file that Box's developer console offers for download."""
        app = self.apps["jwt"]
        return json.dumps(
            {
                "boxAppSettings": {
                    "clientID": app.client_id,
                    "clientSecret": app.client_secret,
                    "appAuth": {
                        "publicKeyID": self.jwt_key.key_id,
                        "privateKey": self.jwt_key.private_key,
                        "passphrase": self.jwt_key.passphrase,
                    },
                },
                "enterpriseID": ENTERPRISE_ID,
            },
            indent=2,
        )


def make_accounts() -> Accounts:
    """Return accounts with new credentials."""
    passphrase = opaque(32)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    return Accounts.from_json(
        {
            "clients": {
                name: [opaque(32), opaque(32)]
                for name in ("dev", "jwt", "ccg", "devtoken")
            },
            "jwt_key": [opaque(8).lower(), pem.decode(), passphrase],
            "developer_token": opaque(32),
        }
    )


def opaque(length: int) -> str:
    """Return *length* random letters and digits: the look of Box's tokens."""
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(length))
