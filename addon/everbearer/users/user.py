"""A proxy user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from everbearer.users.environment import EnvironmentHolds
from everbearer.users.passwords import Digest, random_password

if TYPE_CHECKING:
    from everbearer.secret import Secret
    from everbearer.users.passwords import Password


@dataclass(frozen=True, slots=True)
class User:
    """
    Who may use the proxy; `profiles` are those he may use, () for all.

    `environment` knows him by his process where he says nothing of himself.
    """

    name: str
    password: Password
    profiles: tuple[str, ...] = ()
    environment: EnvironmentHolds | None = None


def user_of_one_run(name: str, profiles: tuple[str, ...] = ()) -> tuple[User, Secret]:
    """
    Return a user with a random password, and that password.

    For a proxy that serves one command: put in place of the configuration's
    users (`settings.proxy.users`), nobody else is let in. On Linux he needs no
    field: a process whose environment holds the password is he.
    """
    password = random_password()
    environment = EnvironmentHolds(password)
    return User(name, Digest.of(password), profiles, environment), password
