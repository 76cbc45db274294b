"""Every secret of a sandbox and its clients, and the search for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from harness import Place, Sandbox

SOURCES = {
    "state.json",
    "jwt_config.json",
    "refresh_token.txt",
    "developer_token.txt",
    "dev_client_secret.txt",
    "ccg_client_secret.txt",
    "store.key",
}
"""Files that hold secrets because somebody put them there; all others are searched."""


@dataclass
class Canaries:
    """What must not be found: all that the sandbox issued or was sent, and more."""

    sandbox: Sandbox
    more: dict[str, str] = field(default_factory=dict)
    """Secrets of clients, by a name for the message."""

    def named(self) -> dict[str, str]:
        """Return the secrets there are now, by a name that is none."""
        told = self.sandbox.call("GET", "secrets")
        found = dict(self.more)
        for kind in ("tokens", "client_secrets", "assertions"):
            found |= {f"{kind}[{n}]": text for n, text in enumerate(told[kind]) if text}
        found["passphrase"] = told["passphrase"]
        # A line of it is enough to know the key again, however it is wrapped.
        lines = told["private_key"].strip().splitlines()
        found["private key, begin"], found["private key, middle"] = lines[1], lines[9]
        key = self.sandbox.state / "store.key"
        if key.exists():
            found["store key"] = key.read_text().strip().splitlines()[-1]
        developer = self.sandbox.state / "developer_token.txt"
        found["developer token"] = developer.read_text().strip()
        return found

    def in_bytes(self, data: bytes) -> list[str]:
        """Return the names of the secrets that are there in any form."""
        return _found(self._needles(), data)

    def in_text(self, text: str) -> list[str]:
        """Return the names of the secrets that are there in any form."""
        return self.in_bytes(text.encode())

    def in_files(self, files: Iterable[Path]) -> dict[str, list[str]]:
        """Return what was found, by file."""
        needles = self._needles()
        return {
            str(path): found
            for path in files
            if (found := _found(needles, path.read_bytes()))
        }

    def _needles(self) -> list[tuple[str, bytes]]:
        return [
            (f"{name} ({form})", needle)
            for name, secret in self.named().items()
            for form, needle in forms(secret)
        ]


def _found(needles: Iterable[tuple[str, bytes]], data: bytes) -> list[str]:
    return [name for name, needle in needles if needle in data]


def forms(secret: str) -> list[tuple[str, bytes]]:
    """Return the secret as it is, and as programs are used to encode it."""
    raw = secret.encode()
    found = [
        ("as it is", raw),
        ("URL", quote(secret, safe="").encode()),
        ("form", quote_plus(secret).encode()),
        ("JSON", json.dumps(secret)[1:-1].encode()),
        ("hex", raw.hex().encode()),
    ]
    for shift in range(3):
        # Inside of something longer the alignment is anybody's guess; the ends
        # depend on what is around.
        text = base64.b64encode(b"\0" * shift + raw)
        text = text[4 if shift else 0 : len(text) - 4]
        found += [(f"base64+{shift}", text)]
        found += [(f"base64url+{shift}", text.translate(bytes.maketrans(b"+/", b"-_")))]
    return found


def written(place: Place) -> list[Path]:
    """Return every file under the test's folder but the sources of secrets."""
    return sorted(
        path
        for path in place.root.rglob("*")
        if path.is_file() and path.name not in SOURCES
    )
