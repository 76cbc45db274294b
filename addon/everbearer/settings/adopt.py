"""
A profile made from what the user has: the one way in which it is written.

First everything is tried in memory, with the secrets where they would be read;
then they are put away, the whole is loaded once more as it will be, and only
then the file takes its place.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everbearer.errors import ConfigError, Problem, StoreError
from everbearer.settings import edit
from everbearer.settings.files import parse_toml
from everbearer.settings.load import survey
from everbearer.settings.problems import Mistake, spell
from everbearer.settings.rewrite import Found, look, replace
from everbearer.settings.safekeeping import Kind, Place, find_safe, put_all
from everbearer.stores.keys import os_keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from everbearer.providers.foreign import ForeignProfile
    from everbearer.secret import Secret
    from everbearer.settings.edit import Value
    from everbearer.settings.model import Settings
    from everbearer.stores.keys import Keyring

type _Keep = Callable[[str, Secret], Value]


@dataclass(frozen=True, slots=True)
class Text:
    """
    What stands around the keys, for people.

    *comment* goes above the profile; *head* and *tail* around the whole, in a
    file that is yet to be made.
    """

    comment: str = ""
    head: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """
    A configuration with a new profile, not written yet.

    `settings` are what it stands for; `difference` is for people to read and
    holds no secret; `places` are where the secrets will lie, `unused` those that
    it names no more; `default` is the profile that becomes the default one, ""
    where none does.
    """

    settings: Settings
    difference: str
    places: tuple[str, ...]
    unused: tuple[str, ...]
    default: str
    _judge: Callable[[bytes], Settings] = field(repr=False)
    _found: Found = field(repr=False)
    _after: bytes = field(repr=False)
    _secrets: Mapping[Place, Secret] = field(repr=False)

    def write(self, handover: AbstractContextManager[object] | None = None) -> None:
        """
        Put the secrets away and the configuration in its place, or do nothing.

        *handover* is entered once nothing but the last step is left to fail, and
        is told if that does. Raises ConfigError.
        """
        with _told(), ExitStack() as undo:
            put_all(self._secrets, self._found.path.parent, undo)
            self._judge(self._after)
            with handover or nullcontext():
                replace(self._found, self._after)
                undo.pop_all()


def adopt(
    path: Path,
    environ: Mapping[str, str],
    profile: ForeignProfile,
    name: str,
    text: Text,
    *,
    again: bool = False,
    kind: Kind | None = None,
    keyring: Callable[[], Keyring] = os_keyring,
) -> Adoption:
    """
    Return the configuration with that profile; writes nothing.

    With *again* a profile of that name gets the credentials and keeps its other
    settings. Raises ConfigError with what is in the way.
    """
    judge = _judge_of(path, environ, name, keyring)
    secrets: dict[Place, Secret] = {}
    with _told():
        found = look(path, os.geteuid())
        before = _decoded(found)
        there = name in edit.profiles_in(before)
        if there and not again:
            raise Mistake(
                f"there is a profile {name} already",
                "give it these credentials with --replace, which keeps its other "
                "settings, or name another with --profile",
            )

        def written(keep: _Keep) -> str:
            keys = _keys(profile, keep)
            if there:
                return edit.with_credentials(before, name, keys)
            if found.content is not None:
                return edit.with_profile(before, name, keys, text.comment)
            return edit.with_profile(text.head, name, keys, text.comment) + text.tail

        settings = judge(written(lambda _, secret: secret.reveal()).encode())
        # Only now: the name, which becomes that of a file, is one.
        safe = find_safe(kind, path.parent, keyring)

        def put(what: str, secret: Secret) -> Value:
            place = safe.place(f"{name}-{what}")
            secrets[place] = secret
            return place.reference

        after = written(put)
    return _adoption(settings, found, before, after, judge, secrets, text.comment)


def adopt_like(
    path: Path,
    environ: Mapping[str, str],
    model: str,
    name: str,
    *,
    keyring: Callable[[], Keyring] = os_keyring,
) -> Adoption:
    """
    Return the configuration with a profile like *model*, for another login.

    Writes nothing; raises ConfigError with what is in the way.
    """
    judge = _judge_of(path, environ, name, keyring)
    with _told():
        found = look(path, os.geteuid())
        before = _decoded(found)
        profiles = edit.profiles_in(before)
        if name in profiles:
            raise Mistake(
                f"there is a profile {name} already",
                f"run without --profile-from: everbearer login {name}",
            )
        if model not in profiles:
            raise Mistake(
                f"there is no profile {model}", f"there are: {', '.join(profiles)}"
            )
        after = edit.with_profile(before, name, edit.keys_like(before, model))
        settings = judge(after.encode())
    return _adoption(settings, found, before, after, judge, {})


def _judge_of(
    path: Path,
    environ: Mapping[str, str],
    name: str,
    keyring: Callable[[], Keyring],
) -> Callable[[bytes], Settings]:
    def judge(content: bytes) -> Settings:
        found = survey(path, environ, keyring=keyring, content=content)
        if found.problems:
            raise ConfigError(*(_by_option(each, name) for each in found.problems))
        return found.settings

    return judge


def _adoption(
    settings: Settings,
    found: Found,
    before: str,
    after: str,
    judge: Callable[[bytes], Settings],
    secrets: Mapping[Place, Secret],
    comment: str = "",
) -> Adoption:
    default = edit.default_in(after)
    return Adoption(
        settings=settings,
        difference=edit.shown(before, after, comment),
        places=tuple(map(str, secrets)),
        unused=tuple(sorted(edit.sources_in(before) - edit.sources_in(after))),
        default="" if default == edit.default_in(before) else default,
        _judge=judge,
        _found=found,
        _after=after.encode(),
        _secrets=secrets,
    )


def _by_option(problem: Problem, name: str) -> Problem:
    """Tell of a wrong name where it can be mended: it is in no file yet."""
    if problem.path != spell(("profiles", name)):
        return problem
    return Problem("", f"{name}: {problem.message}", "name another with --profile")


def _decoded(found: Found) -> str:
    if found.content is None:
        return ""
    parse_toml(found.path, found.content)
    return found.content.decode()


@contextmanager
def _told() -> Iterator[None]:
    """Tell what is in the way as a ConfigError, which says that nothing was done."""
    problems: tuple[Problem, ...]
    try:
        yield
    except ConfigError as error:
        problems = error.problems
    except Mistake as mistake:
        problems = (Problem("", mistake.message, mistake.fix),)
    except StoreError as error:
        problems = (Problem("", error.message, error.hint),)
    else:
        return
    raise ConfigError(*problems, hint="nothing was written")


def _keys(profile: ForeignProfile, keep: _Keep) -> dict[str, Value]:
    """Return the keys of a profile, in the order of the examples."""
    keys: dict[str, Value] = {"provider": "box"}
    if profile.grant:
        keys["grant"] = profile.grant
    if profile.access_token:
        keys["access_token"] = keep("access-token", profile.access_token)
    if profile.client_id:
        keys["client_id"] = profile.client_id
    if profile.client_secret:
        keys["client_secret"] = keep("client-secret", profile.client_secret)
    if profile.refresh_token:
        keys["refresh_token"] = keep("refresh-token", profile.refresh_token)
    if key := profile.key:
        jwt: dict[str, Value] = {
            "key_id": key.key_id,
            "private_key": keep("private-key", key.private_key),
        }
        if key.passphrase:
            jwt["passphrase"] = keep("passphrase", key.passphrase)
        keys["jwt"] = jwt
    if profile.subject:
        keys["subject"] = {"type": profile.subject.type, "id": profile.subject.id}
    if profile.as_user:
        keys["as_user"] = profile.as_user
    return keys
