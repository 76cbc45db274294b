"""What other programs keep: their files, and their entries in the keyring."""

from __future__ import annotations

import secrets
import shlex
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import platformdirs

from everbearer.errors import ConfigError, Problem, StoreError, reason_of
from everbearer.providers import box_cli
from everbearer.settings.files import read_foreign
from everbearer.settings.problems import Mistake
from everbearer.stores import private
from everbearer.stores.keys import keytar_keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from everbearer.stores.keys import Keyring


class Kept(Protocol):
    """A text that another program keeps; `str()` of it names the place."""

    @property
    def text(self) -> str:
        """What it says."""

    def taken(self) -> AbstractContextManager[None]:
        """
        Take it away while the context lasts, and for good if that succeeds.

        Where an exception leaves the context it is put back. Raises Mistake
        where it has changed since it was read, and is left alone then; and where it
        cannot be put back, with the place of a copy.
        """


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file."""

    path: Path
    text: str = field(repr=False)

    def __str__(self) -> str:
        return str(self.path)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Rename it first: who comes meanwhile finds none."""
        aside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        with _os_mistakes(self.path):
            self.path.rename(aside)
        try:
            _same(self, read_foreign(aside))
            yield
        except BaseException:
            self._put_back(aside)
            raise
        aside.unlink()

    def _put_back(self, aside: Path) -> None:
        """Rename it back; raises Mistake, which tells where it lies, if that fails."""
        try:
            # The name is taken first, and not from one that was made meanwhile: that
            # is the newer. Hard links would do it in one step, and not everywhere.
            with suppress(FileExistsError):
                self.path.touch(0o600, exist_ok=False)
                aside.rename(self.path)
                return
            aside.unlink()
        except OSError as error:
            raise Mistake(
                f"{self} cannot be put back ({reason_of(error)}):"
                f" what it held is in {aside}",
                f"run: mv {shlex.quote(str(aside))} {shlex.quote(str(self.path))}",
            ) from None


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """An entry of the keyring."""

    keyring: Keyring
    service: str
    text: str = field(repr=False)

    def __str__(self) -> str:
        return f"the keyring's entry {self.service}/{box_cli.ACCOUNT}"

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Delete it, and make it again if need be."""
        account = box_cli.ACCOUNT
        try:
            _same(self, self.keyring.get_password(self.service, account))
            self.keyring.delete_password(self.service, account)
        except Mistake:
            raise
        except Exception as error:  # noqa: BLE001 - each keyring raises its own
            raise Mistake(
                f"{self} cannot be removed ({type(error).__name__})",
                "unlock the keyring and try again",
            ) from None
        try:
            yield
        except BaseException:
            self._put_back()
            raise

    def _put_back(self) -> None:
        """Make it again; raises Mistake, which tells where a copy is, if that fails."""
        try:
            self.keyring.set_password(self.service, box_cli.ACCOUNT, self.text)
        except Exception as error:  # noqa: BLE001 - each keyring raises its own
            why = type(error).__name__
        else:
            return
        folder = platformdirs.user_data_path("everbearer") / "not-put-back"
        path = folder / f"{secrets.token_hex(8)}.json"
        private.make_folder(folder)
        with private.os_errors(path):
            private.make_file(path, self.text.encode(), replace=True)
        raise Mistake(
            f"{self} cannot be put back ({why}): what it held is in {path}",
            "unlock the keyring, make the text of that file the entry's password, and"
            " delete the file",
        )


@dataclass(frozen=True, slots=True)
class BoxCli:
    """What the Box CLI of this user keeps, `keyring` being None to look in files."""

    folder: Path
    keyring: Keyring | None

    def environments(self) -> Kept:
        """Return its environments; ConfigError where there are none."""
        kept = self._kept(box_cli.SERVICE, box_cli.ENVIRONMENTS_FILE)
        if kept is None:
            raise ConfigError(
                Problem(
                    "",
                    f"the Box CLI has no environments in {self.folder}"
                    f"{' or in the keyring' if self.keyring else ''}",
                    "name its folder, or run this in the desktop session where the"
                    " Box CLI is used, since it may keep them in the keyring",
                )
            )
        return kept

    def tokens(self, environment: box_cli.BoxCliEnvironment) -> Kept | None:
        """Return the token cache of an environment, None where there is none."""
        return self._kept(environment.token_service, environment.token_file)

    def _kept(self, service: str, file: str) -> Kept | None:
        """Look where the Box CLI looks, in its order."""
        if self.keyring is not None:
            try:
                text = self.keyring.get_password(service, box_cli.ACCOUNT)
            except Exception as error:  # noqa: BLE001 - each keyring raises its own
                raise ConfigError(
                    Problem(
                        "",
                        f"the keyring cannot be reached ({type(error).__name__})",
                        "unlock it and try again",
                    )
                ) from None
            if text is not None:
                return KeptEntry(self.keyring, service, text)
        # Taken away is the file itself, not a link to it.
        path = (self.folder / file).resolve()
        return KeptFile(path, read(path, str)) if path.exists() else None


def find_box_cli(
    folder: Path | None,
    home: Path,
    keyring: Callable[[], Keyring] = keytar_keyring,
) -> BoxCli:
    """Return the Box CLI of that folder, else the one that this user runs."""
    if folder is not None:
        return BoxCli(folder, None)
    try:
        return BoxCli(home / ".box", keyring())
    except StoreError:
        return BoxCli(home / ".box", None)


def read[T](path: Path, parse: Callable[[str], T]) -> T:
    """Return what a file of another program says; ConfigError names the file."""
    try:
        return parsed(str(path), read_foreign(path), parse)
    except Mistake as mistake:
        raise ConfigError(Problem("", mistake.message, mistake.fix)) from None


def parsed[T](place: str, text: str, parse: Callable[[str], T]) -> T:
    """Return what a text of another program says; ConfigError names its place."""
    try:
        return parse(text)
    except ValueError as error:
        problem = Problem("", f"{place}: {error}")
    raise ConfigError(problem)


def _same(kept: Kept, now: str | None) -> None:
    if now != kept.text:
        raise Mistake(
            f"{kept} was changed meanwhile", "let the Box CLI rest, and try again"
        )


@contextmanager
def _os_mistakes(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Mistake(
            f"{path} cannot be moved ({reason_of(error)})",
            f"look at: ls -ld {path.parent}",
        ) from None
