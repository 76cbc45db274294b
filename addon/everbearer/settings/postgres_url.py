"""A `postgresql://` URL (libpq's connection URI, one host) as what it names."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from everbearer.secret import Secret
from everbearer.settings.model import PostgresSettings
from everbearer.settings.problems import Mistake, listing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMES: Final = frozenset({"postgresql", "postgres"})
"""libpq takes both."""

_EXAMPLE: Final = (
    'write, for example: url = "postgresql://everbearer@db.example.com:5432/everbearer'
    '?sslmode=verify-full"'
)
_PORT: Final = 5432
_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_FILES: Final = ("sslrootcert", "sslcert", "sslkey")
_KNOWN: Final = ("sslmode", *_FILES, "host")


def parse(url: str, path: Callable[[str], Path]) -> PostgresSettings:
    """
    Return what the URL names; *path* makes a relative path absolute.

    Raises Mistake, which never quotes the URL: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        options = dict(
            parse_qsl(
                parts.query,
                keep_blank_values=True,
                strict_parsing=bool(parts.query),
                errors="strict",
            )
        )
    except ValueError:
        raise Mistake("is not a URL of PostgreSQL", _EXAMPLE) from None
    if unknown := sorted(options.keys() - set(_KNOWN)):
        raise Mistake(
            f"has {len(unknown)} parameters that are not taken here",
            f"there are: {listing(_KNOWN, 'and')}; put a password before the @",
        )
    host = unquote(parts.hostname or "") or options.get("host", "")
    user, database = unquote(parts.username or ""), unquote(parts.path[1:])
    missing = [
        name
        for name, value in (("user", user), ("host", host), ("database", database))
        if not value
    ]
    if missing:
        raise Mistake(f"names no {' and no '.join(missing)}", _EXAMPLE)
    if any(not part.isprintable() or "," in part for part in (host, user, database)):
        raise Mistake("names one host, and no control characters", _EXAMPLE)
    password = None if parts.password is None else Secret(unquote(parts.password))
    tls = _tls(options, path, local=_is_local(host))
    return PostgresSettings(host, port or _PORT, user, database, password, tls)


def doubt(found: PostgresSettings) -> str:
    """Return a warning where the server is believed without proof; "" where not."""
    mode = dict(found.tls)["sslmode"]
    if _is_local(found.host) or mode == "verify-full":
        return ""
    return (
        f"store.url: with sslmode={mode} nobody checks which server answers, and who "
        "stands between may read the password; better: sslmode=verify-full"
    )


def _tls(
    options: dict[str, str], path: Callable[[str], Path], *, local: bool
) -> tuple[tuple[str, str], ...]:
    mode = options.get("sslmode", "prefer" if local else "")
    if not mode:
        raise Mistake(
            "does not say how the server is verified",
            "add ?sslmode=verify-full, and sslrootcert=FILE for an authority of "
            "your own",
        )
    if mode not in _MODES:
        raise Mistake("has an unknown sslmode", f"there are: {listing(_MODES)}")
    files = {name: options[name] for name in _FILES if options.get(name)}
    return (
        ("sslmode", mode),
        *(
            # libpq's name for the authorities that the system trusts.
            (name, text if text == "system" else str(path(text)))
            for name, text in files.items()
        ),
    )


def _is_local(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
