"""The configuration as frozen values: what is left once every problem is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import quote

from everbearer.policy.hosts import join_authority
from everbearer.settings.locate import in_full

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from everbearer.oauth.grants.contract import Grant
    from everbearer.policy.hosts import HostPattern
    from everbearer.policy.rules import Rule
    from everbearer.providers.contract import Who
    from everbearer.secret import Secret
    from everbearer.stores.contract import GrantKey
    from everbearer.users.user import User


@dataclass(frozen=True, slots=True)
class Endpoints:
    """
    Where a person consents and takes consent back; "" where nobody knows.

    `redirect_uri` is where the browser comes back to, "" for any free port of
    this machine; `who` how to ask whom a token acts for, None where nobody may.
    """

    authorize_url: str = ""
    revoke_url: str = ""
    redirect_uri: str = ""
    who: Who | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """
    One identity at one authorization server.

    Exactly one of `grant` and `access_token` (a developer token: never
    renewed) is set. `default_expires_in` (seconds) is what the provider
    documents for answers without `expires_in`, and `refresh_token_life` how long
    a refresh token lives that nobody uses (None: for ever, or there is none).
    """

    name: str
    provider: str
    token_url: str
    key: GrantKey
    grant: Grant | None = None
    access_token: Secret | None = None
    as_user: str = ""
    scheme: str = "bearer"
    default_expires_in: float = 3600.0
    refresh_token_life: float | None = None
    endpoints: Endpoints = Endpoints()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener listens; `host` is an IP address without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return join_authority(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Listener:
    """An explicit proxy, or (`reverse`: a host name) a stand-in for one server."""

    address: Address
    reverse: str = ""
    profile: str = ""


class Unmatched(Enum):
    """What becomes of hosts that no rule names."""

    TUNNEL = "tunnel"
    REFUSE = "refuse"
    INSPECT = "inspect"


class Ca(Enum):
    """
    Whose authority issues what clients are shown.

    `RUN` is no choice of a configuration: one that a single run has in memory.
    """

    MITMPROXY = "mitmproxy"
    OWN = "own"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """`[proxy]`; limits in bytes."""

    redact: bool = True
    replay_body_limit: int = 256 * 1024 * 1024
    spool_limit: int = 1024 * 1024 * 1024
    unmatched_hosts: Unmatched = Unmatched.TUNNEL
    http2: bool = False
    browser_origins: frozenset[str] = frozenset()
    placeholder: str = ""
    ca: Ca = Ca.MITMPROXY
    users: tuple[User, ...] = ()  # where there are any, nobody else is served


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """`[notify]`: the program, by its full path, and its arguments; empty for none."""

    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """`[audit]`: no `file`, no log; `max_size` in bytes, `keep` older files stay."""

    file: Path | None = None
    max_size: int = 64 * 1024 * 1024
    keep: int = 5


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """
    `[dashboard]`: whether there is one, and where.

    Without a `listen` of its own it takes the default's port, or another one where
    that is taken.
    """

    enabled: bool = True
    listen: Address | None = None


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the store's key lies; exactly one is set."""

    file: Path | None = None
    keyring: str = ""  # "service/account"
    env: str = ""  # the name of a variable


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """
    A `postgresql://` URL; `str()` of it names the database without its secrets.

    `host` is a name, an address without brackets, or the folder of a socket;
    `tls` holds libpq's parameters for it, `sslmode` first.
    """

    host: str
    port: int
    user: str
    database: str
    password: Secret | None = None
    tls: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        user, database = quote(self.user, safe=""), quote(self.database, safe="")
        return f"postgresql://{user}@{host}:{self.port}/{database}"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """
    `[store]`: a SQLite file, a PostgreSQL database, or (with neither) memory.

    `key` is None in memory alone. `rescue` is the user's folder for emergency
    copies that cannot be written beside the store.
    """

    path: Path | None
    key: KeySource | None
    rescue: Path | None = None
    postgres: PostgresSettings | None = None

    @property
    def scheme(self) -> str:
        """The URL's: which kind of store it is."""
        if self.postgres is not None:
            return "postgresql"
        return "memory" if self.path is None else "sqlite"


@dataclass(frozen=True, slots=True)
class ConnectTo:
    """Dial `dial` for the host pattern and port; names and certificates stay."""

    host: HostPattern
    port: int
    dial: Address

    def matches(self, host: str, port: int) -> bool:
        """Tell whether *host* (normalised) and *port* are dialled elsewhere."""
        return port == self.port and self.host.matches(host)


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """`[network]`."""

    connect_to: tuple[ConnectTo, ...] = ()
    ca_file: Path | None = None
    ca_digest: str = ""  # SHA-256 of its content, which may change in its place
    upstream_proxy: str = ""  # "http://host:port", without credentials

    def dialled(self, host: str, port: int) -> Address | None:
        """Return where `connect_to` leads *host* and *port*; None: nowhere else."""
        for entry in self.connect_to:
            if entry.matches(host, port):
                return entry.dial
        return None


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Which configuration is meant, and why the one in force is not the one on disk.

    `source` is None where it need not be named.
    """

    source: Path | None = None
    problems: tuple[str, ...] = ()

    def in_full(self, text: str) -> str:
        """Return *text* with the configuration in every command of ours."""
        return in_full(text, self.source)


@dataclass(frozen=True, slots=True)
class Settings:
    """
    One whole configuration.

    `rules` are in order of precedence: the presets' exclusions, the user's,
    the presets' injecting ones. `warnings` are for people and hold no secret.
    """

    source: Path
    profiles: Mapping[str, Profile]
    rules: tuple[Rule, ...]
    store: StoreSettings
    default_profile: str = ""
    listeners: tuple[Listener, ...] = (Listener(Address("127.0.0.1", 8080)),)
    proxy: ProxySettings = field(default_factory=ProxySettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    notify: NotifySettings = NotifySettings()
    audit: AuditSettings = field(default_factory=AuditSettings)
    dashboard: DashboardSettings = field(default_factory=DashboardSettings)
    watched: frozenset[Path] = frozenset()  # the files whose change means a reload
    variables: frozenset[str] = frozenset()  # of the environment, that hold secrets
    warnings: tuple[str, ...] = ()

    @property
    def ruled(self) -> tuple[HostPattern, ...]:
        """The hosts of all rules: what the proxy decrypts."""
        return tuple(host for rule in self.rules for host in rule.hosts)
