"""The files that variables name: what a tool trusted before, and our authority."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from everbearer.clients.trust_stores import (
    bundle,
    certificates_in,
    java_trust_store,
)
from everbearer.clients.variables import ADDED, REPLACED, WGET, wgetrc
from everbearer.stores import private

if TYPE_CHECKING:
    from collections.abc import Mapping


def write_trust(
    folder: Path, ours: str, environ: Mapping[str, str], now: float
) -> dict[str, str]:
    """
    Write into *folder* what tools read, and return the variables that lead there.

    A variable that was set keeps its meaning: what it named is in the new file
    beside our authority, and nothing else. Nothing here is secret. Raises OSError.
    """
    system = [*system_bundles(), ours.encode()]
    own, all_of_them = folder / "everbearer.pem", folder / "bundle.pem"
    own.write_bytes(ours.encode())
    all_of_them.write_bytes(bundle(system))
    variables = {}
    for names, default in ((REPLACED, all_of_them), (ADDED, own)):
        for name in names:
            path = default
            if before := _read(environ.get(name, "")):
                path = folder / f"{name}.pem"
                path.write_bytes(bundle([before, ours.encode()]))
            variables[name] = str(path)
    ders = [der for part in system for der in certificates_in(part)]
    trust_store(folder).write_bytes(java_trust_store(ders, now))
    rc = folder / "wgetrc"
    before_rc = _wgetrc_before(environ)
    rc.write_bytes(wgetrc(before_rc, Path(variables["SSL_CERT_FILE"])).encode())
    return variables | {WGET: str(rc)}


def keep_trust(
    folder: Path, certificate: Path, environ: Mapping[str, str], now: float
) -> dict[str, str]:
    """Write the same for *certificate* into a private folder that stays; StoreError."""
    private.make_folder(folder)
    private.check_folder(folder)
    with private.os_errors(folder):
        return write_trust(folder, certificate.read_bytes().decode(), environ, now)


def trust_store(folder: Path) -> Path:
    """Return where Java's trust store is."""
    return folder / "java.jks"


def system_bundles() -> list[bytes]:
    """Return the authorities of this machine and Mozilla's, in PEM form."""
    paths = [ssl.get_default_verify_paths().openssl_cafile, certifi.where()]
    return [content for path in paths if (content := _read(path))]


def _wgetrc_before(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", "")
    given = environ.get(WGET) or (f"{home}/.wgetrc" if home else "")
    return _read(given).decode(errors="replace")


def _read(path: str | None) -> bytes:
    """Return the content of a file, nothing for one that cannot be read."""
    try:
        return Path(path).read_bytes() if path else b""
    except OSError:
        return b""
