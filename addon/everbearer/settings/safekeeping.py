"""
Where secrets are put that the configuration then refers to.

A place is always a new one: what is there, and whoever refers to it, stays as
it is, so that a step that fails can be taken back.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from everbearer.errors import StoreError
from everbearer.settings.problems import Mistake
from everbearer.stores import private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from everbearer.secret import Secret
    from everbearer.stores.keys import Keyring

type Kind = Literal["keyring", "file"]

FOLDER: Final = "secrets"
"""Of the files, beside the configuration."""

SERVICE: Final = "everbearer"
"""Of the entries in the keyring."""


class Place(Protocol):
    """Where one secret will lie; `str()` of it names the place to people."""

    @property
    def reference(self) -> Mapping[str, str]:
        """What the configuration says of it."""

    def put(self, secret: Secret) -> None:
        """Keep the secret, durably; raises Mistake or StoreError."""

    def remove(self) -> None:
        """Forget it, if that can be done."""


class Safe(Protocol):
    """Finds places."""

    def place(self, name: str) -> Place:
        """Return a place that is free, called *name* or nearly so."""


def find_safe(kind: Kind | None, folder: Path, keyring: Callable[[], Keyring]) -> Safe:
    """
    Return the safe of that kind; of none given the keyring, else files.

    Raises StoreError where the keyring is asked for and there is none that the
    operating system guards.
    """
    if kind == "file":
        return FileSafe(folder / FOLDER)
    try:
        return KeyringSafe(keyring())
    except StoreError as error:
        if kind == "keyring":
            raise StoreError(error.message, hint="use: --secrets file") from None
        return FileSafe(folder / FOLDER)


@dataclass(frozen=True, slots=True)
class FileSafe:
    """Files of mode 0600 in a folder of mode 0700, which is made when needed."""

    folder: Path

    def place(self, name: str) -> FilePlace:
        """Return a file that is not there."""
        path = self.folder / name
        count = 1
        while path.exists() or path.is_symlink():
            count += 1
            path = self.folder / f"{name}-{count}"
        return FilePlace(path)


@dataclass(frozen=True, slots=True)
class FilePlace:
    """One file, with a line break at its end, which is not part of the secret."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def reference(self) -> Mapping[str, str]:
        """The path from the configuration's folder."""
        return {"file": f"{self.path.parent.name}/{self.path.name}"}

    def put(self, secret: Secret) -> None:
        """Make the file in one step, readable by nobody else at any time."""
        private.make_folder(self.path.parent)
        private.check_folder(self.path.parent)
        with private.os_errors(self.path):
            private.make_file(self.path, f"{secret.reveal()}\n".encode())

    def remove(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self.path.unlink()


@dataclass(frozen=True, slots=True)
class KeyringSafe:
    """Entries of one service in the operating system's keyring."""

    keyring: Keyring

    def place(self, name: str) -> KeyringPlace:
        """Return an entry that is not there."""
        account = name
        count = 1
        while self._has(account):
            count += 1
            account = f"{name}-{count}"
        return KeyringPlace(self.keyring, account)

    def _has(self, account: str) -> bool:
        try:
            return self.keyring.get_password(SERVICE, account) is not None
        except Exception as error:  # noqa: BLE001 - each keyring raises its own
            raise _unreachable(error) from None


@dataclass(frozen=True, slots=True)
class KeyringPlace:
    """One entry; only what can be read back is believed to be kept."""

    keyring: Keyring
    account: str

    def __str__(self) -> str:
        return f"the keyring's entry {SERVICE}/{self.account}"

    @property
    def reference(self) -> Mapping[str, str]:
        """Service and account."""
        return {"keyring": f"{SERVICE}/{self.account}"}

    def put(self, secret: Secret) -> None:
        """Make the entry."""
        try:
            self.keyring.set_password(SERVICE, self.account, secret.reveal())
            kept = self.keyring.get_password(SERVICE, self.account)
        except Exception as error:  # noqa: BLE001 - each keyring raises its own
            self.remove()
            raise _unreachable(error) from None
        if kept != secret.reveal():
            self.remove()
            raise Mistake(
                "the keyring does not keep what is written to it", "use: --secrets file"
            )

    def remove(self) -> None:
        """Remove the entry."""
        with suppress(Exception):
            self.keyring.delete_password(SERVICE, self.account)


def put_all(secrets: Mapping[Place, Secret], folder: Path, undo: ExitStack) -> None:
    """
    Keep every secret, each to be removed again by *undo*.

    So are the folders that had to be made: that of the configuration, and those
    above it and below it.
    """
    here = folder / FOLDER
    for each in reversed([each for each in (here, *here.parents) if not each.exists()]):
        undo.callback(_remove_empty, each)
    private.make_folder(folder)
    for place, secret in secrets.items():
        place.put(secret)
        undo.callback(place.remove)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _unreachable(error: Exception) -> Mistake:
    # The text of a keyring's error is not ours to vouch for; its name is.
    return Mistake(
        f"the keyring cannot be reached ({type(error).__name__})",
        "unlock it and try again, or use: --secrets file",
    )
