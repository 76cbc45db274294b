"""How a system is told to trust an authority, as command lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

type Commands = tuple[tuple[str, ...], ...]

_NAME: Final = "everbearer-own-ca.crt"


class System(Protocol):
    """Makes the command lines of one kind of system."""

    @property
    def needs_root(self) -> bool:
        """Whether the commands are root's to run."""

    def install(self, certificate: Path) -> Commands:
        """Return what makes the whole system trust the PEM file."""

    def uninstall(self, certificate: Path) -> Commands:
        """Return what undoes that."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """A folder of authorities, and the command that reads it anew."""

    folder: Path
    update: tuple[str, ...]
    forget: tuple[str, ...]
    needs_root: bool = True

    def install(self, certificate: Path) -> Commands:
        """Copy it there."""
        target = str(self.folder / _NAME)
        return (("install", "-m", "0644", str(certificate), target), self.update)

    def uninstall(self, certificate: Path) -> Commands:  # noqa: ARG002 - the name tells
        """Remove it there."""
        return (("rm", "-f", str(self.folder / _NAME)), self.forget)


@dataclass(frozen=True, slots=True)
class Keychain:
    """The user's own keychain of macOS, which asks him by itself."""

    keychain: Path
    needs_root: bool = False

    def install(self, certificate: Path) -> Commands:
        """Add it, as a root that is trusted."""
        add = ("security", "add-trusted-cert", "-r", "trustRoot")
        return ((*add, "-k", str(self.keychain), str(certificate)),)

    def uninstall(self, certificate: Path) -> Commands:
        """Take its trust away: the certificate stays, and means nothing."""
        return (("security", "remove-trusted-cert", str(certificate)),)


DEBIAN: Final = Anchors(
    Path("/usr/local/share/ca-certificates"),
    ("update-ca-certificates",),
    ("update-ca-certificates", "--fresh"),
)
FEDORA: Final = Anchors(
    Path("/etc/pki/ca-trust/source/anchors"),
    ("update-ca-trust", "extract"),
    ("update-ca-trust", "extract"),
)
SUSE: Final = Anchors(
    Path("/etc/pki/trust/anchors"),
    ("update-ca-certificates",),
    ("update-ca-certificates",),
)
ARCH: Final = Anchors(
    Path("/etc/ca-certificates/trust-source/anchors"),
    ("update-ca-trust",),
    ("update-ca-trust",),
)
_LINUX: Final = (FEDORA, SUSE, ARCH, DEBIAN)


def this_system(
    platform: str, home: Path, is_folder: Callable[[Path], bool]
) -> System | None:
    """Return how *platform* (`sys.platform`) is told; None where nobody knows."""
    if platform == "darwin":
        return Keychain(home / "Library" / "Keychains" / "login.keychain-db")
    return next((each for each in _LINUX if is_folder(each.folder)), None)


def as_root(commands: Commands) -> Commands:
    """Return the same commands, run by sudo."""
    return tuple(("sudo", *words) for words in commands)
