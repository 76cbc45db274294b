"""`[[proxy.users]]`: who may use the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.policy.users import is_name
from everbearer.secret import Secret
from everbearer.settings.problems import spell
from everbearer.settings.rules import check_profile
from everbearer.users.passwords import Argon2Hash
from everbearer.users.user import User

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from everbearer.settings.document import UserTable
    from everbearer.settings.problems import Problems, Where

_MAKE: Final = "run: everbearer user NAME"


def build_users(
    tables: Sequence[UserTable] | None, profiles: Iterable[str], problems: Problems
) -> tuple[User, ...]:
    """Return the users that are sound; notes what is wrong with others."""
    if tables == []:
        # Everybody, or nobody? Who is let in is not guessed at.
        fix = "remove it, or write [[proxy.users]]"
        problems.add(("proxy", "users"), "is empty", fix)
    names = tuple(profiles)
    taken: dict[str, Where] = {}
    built: list[User] = []
    for position, table in enumerate(tables or ()):
        where: Where = ("proxy", "users", position)
        user = _user(where, table, names, problems)
        if table.name in taken:
            problems.add(
                (*where, "name"),
                f"{spell(taken[table.name])} has this name already",
                "give each user a name of his own",
            )
        if table.name is not None:
            taken.setdefault(table.name, where)
        if user is not None:
            built.append(user)
    return tuple(built)


def _user(
    where: Where, table: UserTable, names: tuple[str, ...], problems: Problems
) -> User | None:
    if table.name is None:
        problems.missing((*where, "name"), table.example("name"))
    elif not is_name(table.name):
        problems.add(
            (*where, "name"),
            "a user's name has letters, digits and . _ @ + -, 64 at most, and begins"
            " with a letter or digit",
            "write, for example: " + table.example("name"),
        )
    password = _password((*where, "password_hash"), table, problems)
    for position, name in enumerate(table.profiles or ()):
        check_profile((*where, "profiles", position), name, names, problems)
    if table.profiles == []:
        fix = "remove it, and the user may use all; or name some"
        problems.add((*where, "profiles"), "is empty", fix)
    if table.name is None or password is None:
        return None
    return User(table.name, password, tuple(table.profiles or ()))


def _password(where: Where, table: UserTable, problems: Problems) -> Argon2Hash | None:
    text = table.password_hash
    if text is None:
        problems.missing(where, f"what this prints: everbearer user {table.name}")
        return None
    if not text.startswith("$"):
        # Perhaps the password itself: it is not quoted, and nothing makes it one.
        problems.add(where, "is no hash; a password never stands here", _MAKE)
        return None
    try:
        return Argon2Hash(Secret(text))
    except ValueError as error:
        problems.add(where, str(error), _MAKE)
        return None
