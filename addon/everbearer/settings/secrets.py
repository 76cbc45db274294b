"""Where secrets come from: the file itself, or a source that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from everbearer.errors import StoreError
from everbearer.secret import Secret
from everbearer.settings.command import output_of
from everbearer.settings.files import read_secret
from everbearer.settings.problems import Mistake, listing, quote, spell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from everbearer.settings.document import SecretTable
    from everbearer.settings.problems import Problems, Where
    from everbearer.stores.keys import Keyring

VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*\Z")
"""What looks like the name of a variable; anything else may be the secret itself."""

_KINDS: Final = ("env", "file", "keyring", "command")
# RFC 6749 appendix A.2, A.12, A.17: client_secret, access_token and
# refresh_token are of VSCHAR, %x20-7E.
_VSCHAR: Final = re.compile(r"[\x20-\x7e]+\Z")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What a configuration depends on beside its own text.

    `folder` is where relative paths start; `exposed` tells that others can read
    the configuration itself; `uid` is the user who may own files;
    `command_timeout` is in seconds.
    """

    folder: Path
    exposed: bool
    environ: Mapping[str, str]
    uid: int
    keyring: Callable[[], Keyring]
    command_timeout: float

    def path(self, text: str) -> Path:
        """Return the absolute path that the text means; Mistake where it has none."""
        try:
            return self.folder / Path(text).expanduser()
        except (RuntimeError, ValueError):
            raise Mistake("this home folder is not known", "write the path") from None


@dataclass(slots=True)
class SecretReader:
    """
    Reads secrets, notes what is wrong, and remembers where it looked.

    Neither a problem nor a warning ever quotes what a source gave.
    """

    surroundings: Surroundings
    problems: Problems
    watched: set[Path] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def token(self, where: Where, value: Secret | SecretTable | None) -> Secret | None:
        """Return a secret that goes into a form or a field: one line of ASCII."""
        secret = self.text(where, value)
        if secret is None or _VSCHAR.match(secret.reveal()):
            return secret
        self.problems.add(
            where,
            "holds more than one line, or characters that no such secret has",
            "let its source give the secret alone",
        )
        return None

    def text(self, where: Where, value: Secret | SecretTable | None) -> Secret | None:
        """Return a secret of any text but an empty one; None after a problem."""
        if value is None:
            return None
        if isinstance(value, Secret):
            self.warn_of_text(where)
            text = value.reveal()
        else:
            found = self._named(where, value)
            if found is None:
                return None
            text = found
        if not text:
            self.problems.add(where, "is empty", "put the secret where it points")
            return None
        return Secret(text)

    def file(self, where: Where, text: str) -> tuple[Path, str] | None:
        """Return the path and the text of a file of secrets; None after a problem."""
        try:
            path = self.surroundings.path(text)
            self.watched.add(path)
            return path, read_secret(path, self.surroundings.uid)
        except Mistake as mistake:
            self.problems.note(where, mistake)
            return None

    def warn_of_text(self, where: Where) -> None:
        """Warn of a secret that stands in the configuration itself."""
        others = ", which others can read" if self.surroundings.exposed else ""
        self.warnings.append(
            f"{spell(where)}: the secret stands in the configuration itself{others};"
            ' better: { env = "…" }, { file = "…" }, { keyring = "…" }'
            ' or { command = ["…"] }'
        )

    def _named(self, where: Where, source: SecretTable) -> str | None:
        named = [kind for kind in _KINDS if getattr(source, kind) is not None]
        if len(named) != 1:
            if not self.problems.about(*where):
                self.problems.add(
                    where,
                    f"names {len(named) or 'no'} sources for one secret",
                    f"write one of {listing(_KINDS)}",
                )
            return None
        try:
            if source.env is not None:
                self.variables.add(source.env)
                return _from_environment(source.env, self.surroundings.environ)
            if source.keyring is not None:
                return _from_keyring(source.keyring, self.surroundings.keyring)
            if source.command is not None:
                return self._from_command(source.command)
        except Mistake as mistake:
            self.problems.note((*where, named[0]), mistake)
            return None
        assert source.file is not None
        found = self.file((*where, "file"), source.file)
        return found and found[1]

    def _from_command(self, command: list[str]) -> str:
        if not command or not command[0]:
            raise Mistake(
                "names no program", 'write: command = ["pass", "show", "box"]'
            )
        around = self.surroundings
        return output_of(command, around.folder, around.environ, around.command_timeout)


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    if name in environ:
        return environ[name]
    if VARIABLE.match(name):
        raise Mistake(f"the environment has no {name}", f"run: export {name}=…")
    raise Mistake(
        "the environment has no variable of this name",
        'write the name alone: env = "BOX_CLIENT_SECRET"',
    )


def _from_keyring(entry: str, find: Callable[[], Keyring]) -> str:
    service, _, account = entry.partition("/")
    if not service or not account:
        raise Mistake(
            "names no entry of the keyring", 'write: keyring = "service/account"'
        )
    try:
        kept = find().get_password(service, account)
    except StoreError as error:
        raise Mistake(error.message, error.hint) from None
    except Exception as error:  # noqa: BLE001 - each keyring raises its own
        # The text of a keyring's error is not ours to vouch for; its name is.
        raise Mistake(
            f"the keyring cannot be reached ({type(error).__name__})",
            "unlock the keyring and try again",
        ) from None
    if kept is None:
        raise Mistake(
            f"the keyring has no entry {quote(entry)}",
            "put the secret there with the keyring's own program",
        )
    return kept
