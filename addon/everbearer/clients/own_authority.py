"""
An authority of the user's own, for the rules' hosts alone.

It lies in the user data folder, its key 0600 in a 0700 folder. What is found with
a wider mode is refused: who could read the key can speak for those hosts.
"""

from __future__ import annotations

import datetime as dt
import shlex
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import platformdirs

from everbearer.certificates import (
    Issued,
    leaves_addresses,
    make_authority,
    parse,
    permits,
    permitted_names,
)
from everbearer.clients.constraints import constraints, outside
from everbearer.errors import StoreError
from everbearer.stores import private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from everbearer.policy.hosts import HostPattern

_LIFE: Final = dt.timedelta(days=730)
_SOON: Final = dt.timedelta(days=30)
_RENEW: Final = "run: everbearer ca --renew"


def own_folder() -> Path:
    """Return where the user's own authority lies."""
    return platformdirs.user_data_path("everbearer") / "ca"


def certificate_file(folder: Path) -> Path:
    """Return what tools are to trust."""
    return folder / "ca.pem"


def key_file(folder: Path) -> Path:
    """Return where its key is, beside a certificate of its own."""
    return folder / "ca-key.pem"


@dataclass(frozen=True, slots=True)
class OwnAuthority:
    """The authority, and where its certificate is."""

    issued: Issued
    path: Path

    @property
    def permitted(self) -> tuple[str, ...]:
        """The names that it may speak for, and for those below them."""
        return permitted_names(self.issued.certificate)

    @property
    def until(self) -> dt.datetime:
        """When it ends."""
        return self.issued.certificate.not_valid_after_utc

    @property
    def leaves_addresses(self) -> bool:
        """Whether it may speak for any IP address, as older ones may."""
        return leaves_addresses(self.issued.certificate)

    def may_speak_for(self, name: str) -> bool:
        """Tell whether it may, for *name*."""
        return permits(self.permitted, name)

    def beyond(self, ruled: Sequence[HostPattern]) -> tuple[str, ...]:
        """Return the rules' hosts that it was not made for."""
        return outside(ruled, self.permitted)

    def doubts(self, ruled: Sequence[HostPattern], now: dt.datetime) -> tuple[str, ...]:
        """Return why it should be made anew, each with the way out."""
        found = []
        if beyond := self.beyond(ruled):
            names = ", ".join(beyond)
            found.append(
                f"the own CA was not made for {names}: tools refuse it there; {_RENEW}"
            )
        if self.leaves_addresses:
            found.append(
                "the own CA could speak for any IP address, as older ones can;"
                f" {_RENEW}"
            )
        if self.until - now < _SOON:
            found.append(f"the own CA ends on {self.until:%Y-%m-%d}; {_RENEW}")
        return tuple(found)


def find(folder: Path) -> OwnAuthority | None:
    """Return the authority in *folder*, None where there is none; or StoreError."""
    key = key_file(folder)
    with private.os_errors(key):
        if not key.exists():
            return None
        private.check_folder(folder)
        with key.open("rb") as file:
            private.check_file(key, key.stat())
            content = file.read().decode()
    try:
        issued = parse(content)
    except ValueError:
        raise StoreError(
            f"{key} holds no authority of everbearer's",
            hint=f"move it away: mv {shlex.quote(str(key))} …",
        ) from None
    _write_certificate(folder, issued)
    return OwnAuthority(issued, certificate_file(folder))


def find_or_make(
    folder: Path, ruled: Sequence[HostPattern], now: dt.datetime
) -> OwnAuthority:
    """Return the authority in *folder*, made for the rules' hosts if there is none."""
    found = find(folder)
    if found is None:
        with suppress(FileExistsError):  # another process was first
            _write(folder, ruled, now, replace=False)
        found = find(folder)
        assert found is not None
    return found


def renew(folder: Path, ruled: Sequence[HostPattern], now: dt.datetime) -> OwnAuthority:
    """Put a new authority, for the rules' hosts of now, in the old one's place."""
    _write(folder, ruled, now, replace=True)
    found = find(folder)
    assert found is not None
    return found


def _write(
    folder: Path, ruled: Sequence[HostPattern], now: dt.datetime, *, replace: bool
) -> None:
    name = f"everbearer, own CA, {now:%Y-%m-%d %H:%M:%S}"
    issued = make_authority(name, constraints(ruled), now, _LIFE)
    private.make_folder(folder)
    private.check_folder(folder)
    key = key_file(folder)
    try:
        private.make_file(key, issued.pem().encode(), replace=replace)
    except FileExistsError:
        raise
    except OSError as error:
        with private.os_errors(key):
            raise error from None


def _write_certificate(folder: Path, issued: Issued) -> None:
    path, content = certificate_file(folder), issued.certificate_pem().encode()
    with private.os_errors(path):
        if not path.exists() or path.read_bytes() != content:
            private.make_file(path, content, replace=True)
