"""
Where the key of a store lies: in a file, the system's keyring or the environment.

A place reads the key or makes it (nobody can make a variable for the processes to
come); whether one may be made is the store's decision. Both may wait for a person
(a keyring asks to be unlocked).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from everbearer.errors import StoreError
from everbearer.secret import Secret
from everbearer.stores import private
from everbearer.stores.cipher import key_bytes, new_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# What the operating system itself guards. The rest keep keys in plain files, in
# memory or nowhere, or are somebody else's.
_OS_KEYRINGS: Final = frozenset(
    {
        "keyring.backends.SecretService",
        "keyring.backends.kwallet",
        "keyring.backends.libsecret",
        "keyring.backends.macOS",
    }
)
# A key is 45 bytes; a longer file is something else and is not read to its end.
_LONGEST_FILE: Final = 1024


class KeySource(Protocol):
    """What the configuration says of the key; exactly one is set."""

    @property
    def file(self) -> Path | None:
        """The file that holds the key."""

    @property
    def keyring(self) -> str:
        """Its entry in the keyring, "service/account"."""

    @property
    def env(self) -> str:
        """The variable of the environment that holds it."""


class KeyPlace(Protocol):
    """Where one key lies; `str()` of it names the place to people."""

    kind: ClassVar[str]

    def read(self) -> Secret | None:
        """Return the key, None where there is none; StoreError for a damaged one."""

    def make(self) -> Secret:
        """Make the key, durably, and return it: another's that was made meanwhile."""


class Keyring(Protocol):
    """The part of `keyring.backend.KeyringBackend` that is used."""

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept, None where nothing is."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep *password*."""

    def delete_password(self, service: str, username: str) -> None:
        """Forget what is kept."""


def key_place(source: KeySource) -> KeyPlace:
    """Return the place that the configuration names."""
    if source.file is not None:
        return FileKey(source.file)
    if source.env:
        return EnvKey(source.env)
    service, _, account = source.keyring.partition("/")
    return KeyringKey(service, account)


@dataclass(frozen=True, slots=True)
class FileKey:
    """A key in a file of its own: base64 on one line, mode 0600."""

    kind: ClassVar[str] = "file"
    path: Path

    def __str__(self) -> str:
        return f"the file {self.path}"

    def read(self) -> Secret | None:
        """Return the key; symbolic links are followed, the file itself is checked."""
        # A pipe in the file's place must not make the open wait for a writer.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        with private.os_errors(self.path):
            try:
                descriptor = os.open(self.path, flags)
            except FileNotFoundError:
                return None
            try:
                private.check_file(self.path, os.fstat(descriptor))
                private.check_unwritable(self.path.parent)
                content = os.read(descriptor, _LONGEST_FILE)
            finally:
                os.close(descriptor)
        return _checked(content.decode("latin-1").removesuffix("\n"), str(self))

    def make(self) -> Secret:
        """Make the file in one step, so that nobody ever sees a part of a key."""
        private.make_folder(self.path.parent)
        private.check_unwritable(self.path.parent)
        with private.os_errors(self.path), suppress(FileExistsError):
            # Where another process is first, its key is as good.
            private.make_file(self.path, new_key().reveal().encode() + b"\n")
        key = self.read()
        if key is None:
            raise StoreError(
                f"{self.path} is a symbolic link to nothing",
                hint="remove it, or make the file that it names",
            )
        return key


def os_keyring() -> Keyring:
    """Return the operating system's keyring; StoreError where there is none."""
    # Importing it looks through every installed package for plug-ins: a cost
    # that only those pay who keep a key there.
    import keyring  # noqa: PLC0415 -- see above

    return real_keyring(keyring.get_keyring())


def real_keyring(found: object) -> Keyring:
    """
    Return *found*, or the first of those it chains, that is an operating system's.

    A chain itself is never used: it writes to whichever of its keyrings accepts,
    one of which may be a plain file.
    """
    for each in getattr(found, "backends", [found]):
        module = type(each).__module__
        if any(
            module == name or module.startswith(f"{name}.") for name in _OS_KEYRINGS
        ):
            keyring: Keyring = each
            return keyring
    name = f"{type(found).__module__}.{type(found).__qualname__}"
    raise StoreError(
        f"there is no keyring of the operating system here, only {name}",
        hint="run in the desktop session that has one, "
        'or set [store] key = { file = "store.key" } for a new store',
    )


def keytar_keyring(find: Callable[[], Keyring] = os_keyring) -> Keyring:
    """
    Return the system's keyring as programs see it that use Node's keytar.

    Through the Secret Service it calls `account` what keyring calls `username`.
    StoreError where there is none.
    """
    found = find()
    if not type(found).__module__.startswith("keyring.backends.SecretService"):
        return found
    theirs: Any = type(found)()
    theirs.schemes = {"keytar": {"username": "account", "service": "service"}}
    theirs.scheme = "keytar"
    keyring: Keyring = theirs
    return keyring


@dataclass(frozen=True, slots=True)
class KeyringKey:
    """A key in the keyring, as the password of *account* at *service*."""

    kind: ClassVar[str] = "keyring"
    service: str
    account: str
    find: Callable[[], Keyring] = os_keyring

    def __str__(self) -> str:
        return f"the keyring's entry {self.service}/{self.account}"

    def read(self) -> Secret | None:
        """Return the key."""
        try:
            kept = self.find().get_password(self.service, self.account)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 -- each keyring raises its own
            raise self._unreachable(error) from None
        return None if kept is None else _checked(kept, str(self))

    def make(self) -> Secret:
        """Make the entry, and believe only what can be read back."""
        key = new_key()
        try:
            self.find().set_password(self.service, self.account, key.reveal())
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 -- each keyring raises its own
            raise self._unreachable(error) from None
        if self.read() != key:
            raise StoreError(f"{self} does not keep what is written to it")
        return key

    def _unreachable(self, error: Exception) -> StoreError:
        # The text of a keyring's error is not ours to vouch for; its name is.
        return StoreError(
            f"{self} cannot be reached: {type(error).__name__}",
            hint="unlock the keyring and try again",
        )


@dataclass(frozen=True, slots=True)
class EnvKey:
    """A key in the variable *name* of the environment, in base64."""

    kind: ClassVar[str] = "env"
    name: str
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def __str__(self) -> str:
        return f"the environment's variable {self.name}"

    def read(self) -> Secret | None:
        """Return the key."""
        text = self.environ.get(self.name)
        return None if text is None else _checked(text.strip(), str(self))

    def make(self) -> Secret:
        """Raise StoreError with the command that makes one."""
        raise StoreError(
            f"the environment has no {self.name}, which is to hold the store's key",
            hint=f'make one once: export {self.name}="$(openssl rand -base64 32)"; '
            "keep it, and give every machine that shares the store the same",
        )


def _checked(text: str, place: str) -> Secret:
    key = Secret(text)
    try:
        key_bytes(key)
    except StoreError:
        raise StoreError(
            f"{place} is damaged: it does not hold 32 bytes in base64",
            hint="bring the key back from a copy",
        ) from None
    return key
