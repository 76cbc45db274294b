"""A folder with a configuration and everything it names, as a user would have it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from everbearer.errors import ConfigError, Problem, StoreError
from everbearer.settings.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.settings.model import Settings

CANARY = "canary-7f3a"

DEV = f"""
[profiles.dev]
provider = "box"
grant = "refresh_token"
client_id = "id"
client_secret = {{ env = "SECRET" }}
refresh_token = "{CANARY}-refresh"
"""


class FakeKeyring:
    """A keyring of the operating system, unlocked; `broken` makes it fail."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.broken: Exception | None = None

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept."""
        if self.broken:
            raise self.broken
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep what is given."""
        self.entries[service, username] = password


@dataclass
class ConfigFolder:
    """Writes files with mode 0600, whatever the umask, and loads `config.toml`."""

    path: Path
    environ: dict[str, str] = field(
        default_factory=lambda: {"SECRET": f"{CANARY}-env", "PATH": "/usr/bin:/bin"}
    )
    keyring: FakeKeyring | None = field(default_factory=FakeKeyring)
    command_timeout: float = 20.0

    def write(self, name: str, content: str | bytes, mode: int = 0o600) -> Path:
        """Write a file of the folder."""
        path = self.path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def load(self, toml: str | bytes) -> Settings:
        """Load the text as the configuration."""
        return load(
            self.write("config.toml", toml),
            self.environ,
            user_data_dir=self.path / "data",
            user_state_dir=self.path / "state",
            keyring=self._find_keyring,
            command_timeout=self.command_timeout,
        )

    def problems(self, toml: str | bytes) -> list[Problem]:
        """Return what is wrong with the text; fails when nothing is."""
        with pytest.raises(ConfigError) as caught:
            self.load(toml)
        assert CANARY not in repr(caught.value.problems), "a problem tells a secret"
        return list(caught.value.problems)

    def problem(self, toml: str | bytes) -> Problem:
        """Return the one thing that is wrong with the text."""
        (problem,) = self.problems(toml)
        return problem

    def _find_keyring(self) -> FakeKeyring:
        if self.keyring is None:
            raise StoreError("there is no keyring here", hint="use a file")
        return self.keyring
