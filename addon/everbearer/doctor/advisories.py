"""
Known flaws of mitmproxy and of what it brings, as of one day.

Gathered from the projects' own advisories, PyPI's (github.com/pypa/advisory-database)
and their change logs; what became known later is not here. Only what an everbearer
can be installed with (mitmproxy >= 12) is listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

AS_OF: Final = "2026-11-21"


class Use(Enum):
    """By what an everbearer comes near the flaw."""

    ALWAYS = "every request"
    HTTP2 = "proxy.http2 = true"
    WEB = "--ui web"
    NEVER = "nothing that everbearer does"


@dataclass(frozen=True, slots=True)
class Advisory:
    """A flaw of a package's versions from `since` and below `fixed`."""

    package: str
    fixed: str
    name: str
    what: str
    use: Use
    since: str = "0"

    def concerns(self, version: str) -> bool:
        """Tell whether *version* has it."""
        return _parts(self.since) <= _parts(version) < _parts(self.fixed)


def _parts(version: str) -> tuple[int, ...]:
    """Return the numbers of a release; a pre-release counts as its release."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    while numbers and numbers[-1] == 0:  # 12.0 is 12.0.0
        numbers.pop()
    return tuple(numbers)


ADVISORIES: Final = (
    Advisory(
        "mitmproxy",
        "12.2.2",
        "CVE-2026-40606",
        "LDAP injection in proxyauth",
        Use.NEVER,  # SECURITY.md: [[proxy.users]] in its place
    ),
    Advisory(
        "h11",
        "0.16.0",
        "CVE-2025-43859",
        "lenient chunked bodies: request smuggling",
        Use.ALWAYS,
    ),
    Advisory(
        "h2",
        "4.3.0",
        "CVE-2025-57804",
        "line breaks in fields: request smuggling",
        Use.HTTP2,
    ),
    Advisory(
        "h2",
        "4.4.1",
        "CVE-2026-71554",
        "several Host fields are forwarded",
        Use.HTTP2,
    ),
    Advisory(
        "tornado",
        "6.5.0",
        "CVE-2025-47287",
        "malformed multipart bodies flood the log",
        Use.WEB,
    ),
    Advisory(
        "tornado",
        "6.5.3",
        "CVE-2025-67724, CVE-2025-67725, CVE-2025-67726",
        "fields injected by a reason; slow parsing",
        Use.WEB,
    ),
    Advisory(
        "tornado",
        "6.5.5",
        "CVE-2026-31958, CVE-2026-35536",
        "multipart bodies of too many parts; attributes injected into cookies",
        Use.WEB,
    ),
    Advisory(
        "tornado",
        "6.5.7",
        "CVE-2026-49853, CVE-2026-49854, CVE-2026-49855",
        "see the release notes of 6.5.7",
        Use.WEB,
    ),
    Advisory(
        "cryptography",
        "46.0.5",
        "CVE-2026-26007",
        "malicious keys on binary curves",
        Use.NEVER,  # keys for assertions are RSA, and the user's own
    ),
    Advisory(
        "cryptography",
        "46.0.6",
        "CVE-2026-34073",
        "name constraints not applied to wildcard names",
        Use.NEVER,  # certificates are verified by OpenSSL
    ),
    Advisory(
        "cryptography",
        "46.0.7",
        "CVE-2026-39892",
        "buffers that are not contiguous overflow",
        Use.NEVER,
    ),
    Advisory(
        "cryptography",
        "50.0.0",
        "CVE-2026-69247",
        "PKCS#7 decryption is an oracle",
        Use.NEVER,
        since="44.0.0",
    ),
    Advisory(
        "pyOpenSSL",
        "26.0.0",
        "CVE-2026-27448, CVE-2026-27459",
        "exceptions in a server name callback; DTLS cookies overflow",
        Use.NEVER,  # mitmproxy sets no such callback for servers, DTLS is not served
    ),
)
