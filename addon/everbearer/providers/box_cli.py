"""
What the Box CLI keeps: its environments, and a token cache for each.

Source: box/boxcli at commit 08507d00, v4.9.2 (2026-06-26): `box-command.js`,
`token-cache.js`, `commands/configure/environments/add.js`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.oauth.grants.contract import Subject
from everbearer.providers.foreign import ForeignProfile
from everbearer.providers.members import Members, read_members

if TYPE_CHECKING:
    from everbearer.secret import Secret

SERVICE: Final = "boxcli"
ACCOUNT: Final = "Box"
"""Where the environments lie in the system's keyring."""

ENVIRONMENTS_FILE: Final = "box_environments.json"
"""Where they lie else, in the folder `.box` of the home folder."""

_ADD: Final = "look at what the Box CLI has: box configure:environments:get"


@dataclass(frozen=True, slots=True)
class BoxCliEnvironment:
    """
    One environment: `profile` is the identity as far as it stands there.

    For an app with a key pair the rest is in other files: `config_file` is the
    one that Box offers, `key_file` that of its key, "" where the first has it.
    """

    profile: ForeignProfile
    config_file: str = ""
    key_file: str = ""

    @property
    def token_service(self) -> str:
        """The keyring's service that has the token cache, for `ACCOUNT`."""
        return f"boxcli-token-{self.profile.name}"

    @property
    def token_file(self) -> str:
        """The name of the file that has the token cache else."""
        return f"{self.profile.name}_token_cache.json"


def parse_environments(text: str, wanted: str = "") -> BoxCliEnvironment:
    """
    Return the environment called *wanted*, or the only one.

    ValueError says what is missing or wrong, and never holds a secret.
    """
    document = read_members(text, _ADD)
    environments = document.inner("environments")
    names = list(environments.values)
    default = document.values.get("default")
    listed = ", ".join(
        f"{name} (the Box CLI's default)" if name == default else name for name in names
    )
    if not names:
        raise ValueError(f"it has no environment; {_ADD}")
    if wanted and wanted not in names:
        raise ValueError(f"it has no environment {wanted}; name one of: {listed}")
    if not wanted and len(names) > 1:
        raise ValueError(
            f"it has several environments; name one with --environment: {listed}"
        )
    name = wanted or names[0]
    if "/" in name or "\0" in name:
        raise ValueError("the environment's name is no file name; rename it")
    return _environment(name, environments.inner(name))


def parse_token_cache(text: str) -> Secret | None:
    """Return the refresh token of a cache, None where it has none; ValueError."""
    cache = read_members(text, "run: box login")
    return cache.secret("refreshToken") if cache.values.get("refreshToken") else None


def _environment(name: str, members: Members) -> BoxCliEnvironment:
    method = members.optional("authMethod")
    as_user = ""
    if members.values.get("useDefaultAsUser") is True:
        as_user = members.optional("defaultAsUserId")
    if not method:
        inline = members.values.get("hasInLinePrivateKey") is not False
        return BoxCliEnvironment(
            ForeignProfile("jwt_bearer", name, as_user=as_user),
            config_file=members.text("boxConfigFilePath"),
            key_file="" if inline else members.text("privateKeyPath"),
        )
    subject = None
    if method == "ccg":
        user = members.optional("ccgUser")
        subject = (
            Subject("user", user)
            if user
            else Subject("enterprise", members.optional("enterpriseId"))
        )
    elif method != "oauth20":
        raise ValueError(
            f"{members.place}authMethod is none that everbearer knows; {_ADD}"
        )
    return BoxCliEnvironment(
        ForeignProfile(
            "client_credentials" if subject else "refresh_token",
            name,
            members.text("clientId"),
            members.secret("clientSecret"),
            subject=subject,
            as_user=as_user,
        )
    )
