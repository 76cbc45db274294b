"""
The shape of the configuration file: every key, its type and an example.

Nothing is required here and nothing is judged but types: what is missing or
contradicts itself is said by the module that builds the value, which can say
more about it. `Field.examples` is the corrected form shown for a wrong type.
"""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from everbearer.secret import Secret

_UNITS: Final = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE: Final = re.compile(r"([0-9]{1,15}) ?([A-Za-z]*)\Z")


def _size(value: object) -> int:
    """Return bytes: a whole number, or one with B, KiB, MiB or GiB."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (match := _SIZE.match(value)):
        number, unit = match.groups()
        if unit in _UNITS:
            return int(number) * _UNITS[unit]
    raise PydanticCustomError(
        "size", "expected a size: bytes, or a number with KiB, MiB or GiB"
    )


def _secret(value: object) -> "Secret | SecretTable":
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, dict):
        return SecretTable.model_validate(value)
    raise PydanticCustomError("secret", "expected a string or a table")


def _key(example: str) -> Any:
    return Field(default=None, examples=[example])


class Table(BaseModel):
    """A TOML table: unknown keys are errors, nothing is converted."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True
    )

    @classmethod
    def example(cls, key: str) -> str:
        """Return a line that sets the key, for people to adapt."""
        return str((cls.model_fields[key].examples or [""])[0])


class SecretTable(Table):
    """Where a secret comes from; exactly one key."""

    env: str | None = _key('env = "BOX_CLIENT_SECRET"')
    file: str | None = _key('file = "client-secret.txt"')
    keyring: str | None = _key('keyring = "everbearer/client-secret"')
    command: list[str] | None = _key('command = ["pass", "show", "box"]')


Size = Annotated[int, BeforeValidator(_size)]
SecretValue = Annotated[Secret | SecretTable, PlainValidator(_secret)]


class SubjectTable(Table):
    """Whom an access token acts for."""

    type: Literal["enterprise", "user"] | None = _key('type = "enterprise"')
    id: str | None = _key('id = "1234567"')


class JwtTable(Table):
    """The key that signs assertions."""

    file: str | None = _key('file = "box_config.json"')
    key_id: str | None = _key('key_id = "abcd1234"')
    private_key: SecretValue | None = _key('private_key = { file = "key.pem" }')
    passphrase: SecretValue | None = _key('passphrase = { env = "KEY_PASSPHRASE" }')
    algorithm: str | None = _key('algorithm = "RS256"')


class ProfileTable(Table):
    """`[profiles.NAME]`."""

    provider: str | None = _key('provider = "box"')
    grant: str | None = _key('grant = "refresh_token"')
    access_token: SecretValue | None = _key('access_token = { env = "BOX_TOKEN" }')
    client_id: str | None = _key('client_id = "…"')
    client_secret: SecretValue | None = _key(
        'client_secret = { env = "BOX_CLIENT_SECRET" }'
    )
    refresh_token: SecretValue | None = _key('refresh_token = { file = "rt.txt" }')
    jwt: JwtTable | None = _key('jwt = { file = "box_config.json" }')
    subject: SubjectTable | None = _key(
        'subject = { type = "enterprise", id = "1234567" }'
    )
    as_user: str | None = _key('as_user = "1234567"')
    token_url: str | None = _key('token_url = "https://api.box.com/oauth2/token"')
    revoke_url: str | None = _key('revoke_url = "https://api.box.com/oauth2/revoke"')
    authorize_url: str | None = _key(
        'authorize_url = "https://ent.box.com/api/oauth2/authorize"'
    )
    redirect_uri: str | None = _key('redirect_uri = "http://localhost:8910/callback"')


class RuleTable(Table):
    """`[[rules]]`."""

    hosts: list[str] | None = _key('hosts = ["api.box.com"]')
    paths: list[str] | None = _key('paths = ["/2.0/*"]')
    methods: list[str] | None = _key('methods = ["GET"]')
    profiles: list[str] | None = _key('profiles = ["dev"]')
    action: Literal["refuse", "pass"] | None = _key('action = "refuse"')
    existing_authorization: Literal["fill", "heal", "replace", "keep"] | None = _key(
        'existing_authorization = "fill"'
    )


class ListenerTable(Table):
    """`[[listeners]]`."""

    address: str | None = _key('address = "127.0.0.1:8080"')
    reverse: str | None = _key('reverse = "https://api.box.com"')
    profile: str | None = _key('profile = "dev"')


class UserTable(Table):
    """`[[proxy.users]]`."""

    name: str | None = _key('name = "alice"')
    password_hash: str | None = _key('password_hash = "$argon2id$v=19$…"')
    profiles: list[str] | None = _key('profiles = ["dev"]')


class ProxyTable(Table):
    """`[proxy]`."""

    redact: bool | None = _key("redact = true")
    replay_body_limit: Size | None = _key('replay_body_limit = "256MiB"')
    spool_limit: Size | None = _key('spool_limit = "1GiB"')
    unmatched_hosts: Literal["tunnel", "refuse", "inspect"] | None = _key(
        'unmatched_hosts = "tunnel"'
    )
    http2: bool | None = _key("http2 = false")
    browser_origins: list[str] | None = _key(
        'browser_origins = ["https://app.example.com"]'
    )
    placeholder: str | None = _key('placeholder = "my-placeholder"')
    ca: Literal["mitmproxy", "own"] | None = _key('ca = "own"')
    users: list[UserTable] | None = _key("[[proxy.users]]")


class KeyTable(Table):
    """Where the store's key comes from; exactly one key."""

    file: str | None = _key('file = "store.key"')
    keyring: str | None = _key('keyring = "everbearer/store"')
    env: str | None = _key('env = "EVERBEARER_STORE_KEY"')


class StoreTable(Table):
    """`[store]`."""

    url: SecretValue | None = _key('url = "sqlite:tokens.db"')
    key: KeyTable | None = _key('key = { file = "store.key" }')


class NotifyTable(Table):
    """`[notify]`."""

    command: list[str] | None = _key('command = ["/usr/local/bin/tell-me"]')


class AuditTable(Table):
    """`[audit]`."""

    file: str | None = _key('file = "audit.jsonl"')
    max_size: Size | None = _key('max_size = "64MiB"')
    keep: int | None = _key("keep = 5")


class DashboardTable(Table):
    """`[dashboard]`."""

    enabled: bool | None = _key("enabled = true")
    listen: str | None = _key('listen = "127.0.0.1:8083"')


class NetworkTable(Table):
    """`[network]`."""

    connect_to: dict[str, str] | None = _key(
        'connect_to = { "api.box.com:443" = "127.0.0.1:9443" }'
    )
    ca_file: str | None = _key('ca_file = "company-ca.pem"')
    upstream_proxy: str | None = _key('upstream_proxy = "http://proxy:3128"')


class Document(Table):
    """The whole file."""

    default_profile: str | None = _key('default_profile = "dev"')
    profiles: dict[str, ProfileTable] = Field(default={}, examples=["[profiles.dev]"])
    rules: list[RuleTable] = Field(default=[], examples=["[[rules]]"])
    listeners: list[ListenerTable] | None = _key("[[listeners]]")
    proxy: ProxyTable = Field(default=ProxyTable(), examples=["[proxy]"])
    store: StoreTable = Field(default=StoreTable(), examples=["[store]"])
    network: NetworkTable = Field(default=NetworkTable(), examples=["[network]"])
    notify: NotifyTable = Field(default=NotifyTable(), examples=["[notify]"])
    audit: AuditTable = Field(default=AuditTable(), examples=["[audit]"])
    dashboard: DashboardTable = Field(
        default=DashboardTable(), examples=["[dashboard]"]
    )
