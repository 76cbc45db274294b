"""Which certificates token endpoints may show."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import certifi
import platformdirs

from everbearer.errors import ConfigError, Problem
from everbearer.stores import private
from everbearer.stores.passing import passing_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Trust:
    """
    Whom token requests trust: verifies certificates and their names, always.

    Trusted are the system's authorities, Mozilla's (which some Pythons lack,
    and which mitmproxy trusts) and those in *ca_file*. That file is read here;
    raises ConfigError.
    """

    def __init__(self, ca_file: Path | None) -> None:
        self._own = None if ca_file is None else _only(ca_file)
        self._whole: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def context(self) -> ssl.SSLContext:
        """
        Return the context, always the same.

        Blocks when it is first asked for: some hundred authorities are read. So
        who starts need not wait for what it may never ask.
        """
        with self._lock:
            if self._whole is None:
                self._whole = self._with_public()
            return self._whole

    def _with_public(self) -> ssl.SSLContext:
        if self._own is None:
            context = ssl.create_default_context()
        else:
            context = self._own
            context.load_default_certs()
        context.load_verify_locations(cafile=certifi.where())
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _only(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or "no certificate in it"
        if isinstance(error, ssl.SSLError):
            reason = "not a PEM file of certificates"
        raise ConfigError(
            Problem(
                "network.ca_file",
                f"{ca_file} cannot be used: {reason}",
                "name a PEM file with the certificates of your authorities",
            )
        ) from None


def bundle_folder() -> Path:
    """Return where the proxies of this user keep their bundles."""
    return platformdirs.user_cache_path("everbearer") / "authorities"


@contextmanager
def bundle(ca_file: Path, folder: Path) -> Iterator[Path]:
    """
    Give the same authorities as one PEM file, for who takes only one.

    It is in *folder*, private, and removed in the end. Raises StoreError.
    """
    sources = [certifi.where(), ssl.get_default_verify_paths().cafile, str(ca_file)]
    with passing_file(folder, "authorities-", ".pem") as path:
        with private.os_errors(path), path.open("wb") as out:
            for source in dict.fromkeys(filter(None, sources)):
                with open(source, "rb") as pem:  # noqa: PTH123 - OpenSSL's own paths
                    out.write(pem.read() + b"\n")
        yield path
