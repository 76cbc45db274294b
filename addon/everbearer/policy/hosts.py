"""
Host names: one spelling of each, and patterns that match it.

Nothing here maps a name silently. `normalise_host` accepts ASCII only and says
what the ASCII form of anything else is; `possible_names` is the opposite, for
those who must fail closed: every name that a text could be taken for.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import unquote

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
"""This machine's own names, as tools and browsers have them."""

NOWHERE: Final = "everbearer.invalid"
"""The server that everbearer asks for where it must be refused (RFC 6761 §6.4)."""

HTTPS_PORT: Final = 443
LARGEST_PORT: Final = 65535

_LONGEST_NAME: Final = 253
"""In text, without the trailing dot (RFC 1035 §2.3.4: 255 octets on the wire)."""

_LABELS_AFTER_STAR: Final = 2
"""`*.com` and `app-*.com` would name hosts that anybody can register."""

_EXAMPLE: Final = "api.box.com"

# Letters, digits, hyphen (RFC 1123 §2.1), and the underscore that DNS has in use.
# A hyphen at the end of a label is legal nowhere, and OpenSSL checks no certificate
# against such a name.
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
_AUTHORITY: Final = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([1-9][0-9]{0,4}))?")
_BETWEEN_NAMES: Final = re.compile(r"[\x00-,/:-@\[-^`{-\x7f]+")
# What inet_aton takes for a number, and with it the whole name for an address.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class NonAsciiHost(ValueError):  # noqa: N818 - what it is, not that it is one
    """A host name has other than ASCII characters; `ascii_form` is "" if none fits."""

    def __init__(self, raw: str) -> None:
        names = possible_names(raw)
        self.ascii_form = names[0] if len(names) == 1 else ""
        fix = f'use "{self.ascii_form}"' if self.ascii_form else "write it in ASCII"
        super().__init__(f"a host name has other than ASCII characters: {fix}")


@lru_cache(maxsize=1024)  # names are short once they are legal, others are not kept
def normalise_host(raw: str) -> str:
    """
    Return the one spelling of a host name or IP address.

    Lower case, without the trailing dot that makes a name absolute; IPv6
    without brackets. Raises NonAsciiHost, or ValueError for whatever is not a
    bare host: ports, user information, escapes, white space, two trailing dots,
    labels that begin or end with a hyphen, odd spellings of addresses (`127.1`,
    `0x7f.1`, `2130706433`).
    """
    if not raw.isascii():
        raise NonAsciiHost(raw)
    if ":" in raw:
        return _ipv6(raw)
    host = raw.lower().removesuffix(".")
    if len(host) > _LONGEST_NAME or not _NAME.fullmatch(host):
        raise ValueError("not a legal host name")
    if is_address(host):
        return _ipv4(host)
    return host


def _ipv4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except ValueError:
        raise ValueError("an odd spelling of an IPv4 address") from None


def _ipv6(raw: str) -> str:
    if raw.startswith("[") and raw.endswith("]"):
        raw = raw[1:-1]
    try:
        address = IPv6Address(raw)
    except ValueError:
        raise ValueError("neither a bare host name nor an IPv6 address") from None
    if address.scope_id is not None:
        raise ValueError("an IPv6 address with a zone means this machine's")
    return str(address)


def is_address(name: str) -> bool:
    """Tell whether a lower-case name is an IP address in some spelling."""
    return ":" in name or _NUMBER.fullmatch(name.rpartition(".")[2]) is not None


@lru_cache(maxsize=256)  # of clients, who are few, or known to be
def is_loopback(host: str) -> bool:
    """Tell whether a name or an IP address, without brackets, is this machine's own."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    # Not every Python looks into `::ffff:127.0.0.1` by itself.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def join_authority(host: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 address (RFC 3986 §3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@lru_cache(maxsize=1024)  # as above
def split_authority(raw: str) -> tuple[str, int | None]:
    """
    Return the normalised host and the port of a Host or `:authority` text.

    Raises as `normalise_host` does; user information is an error (RFC 9110
    §4.2.4), as is an empty port.
    """
    match = _AUTHORITY.fullmatch(raw)
    if match is None:
        if not raw.isascii():
            raise NonAsciiHost(raw)
        raise ValueError("not a host with an optional port")
    host = normalise_host(match[1])
    if match[2] is None:
        return host, None
    port = int(match[2])
    if port > LARGEST_PORT:
        raise ValueError("not a legal port")
    return host, port


def possible_names(raw: str) -> tuple[str, ...]:
    """
    Return every name that somebody could take a text for; never raises.

    Escapes are decoded, Unicode is folded the way IDNA does, dots are trimmed,
    and whatever cannot stand in a name separates names. Some of them may be
    nonsense: to find one that must not be reached is all this is good for.
    """
    text = unquote(raw).lower()
    if not text.isascii():
        text = _fold(text)
    runs = (re.sub(r"\.+", ".", run).strip(".") for run in _BETWEEN_NAMES.split(text))
    return tuple(name for run in runs if (name := _ascii_form(run)))


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    # NFKC makes dots of all that RFC 3490 §3.1 takes for one, but for this.
    folded = unicodedata.normalize("NFKC", folded).replace("\u3002", ".")
    return "".join(c for c in folded if unicodedata.category(c) != "Cf")


def _ascii_form(name: str) -> str:
    # The codec takes quadratic time: nothing longer than a name goes in.
    if len(name) > _LONGEST_NAME:
        return ""
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


@dataclass(frozen=True, slots=True)
class HostPattern:
    """
    A host name, or one with one "*" inside its leftmost label; made by `parse`.

    The "*" stands for one or more characters, never for a dot. `parent` is what
    follows the leftmost label of a wildcard pattern, "" for an exact one.
    """

    text: str
    parent: str = ""
    head: str = ""
    tail: str = ""

    @classmethod
    def parse(cls, text: str) -> HostPattern:
        """Raise ValueError, whose message has the corrected form."""
        bare = _bare(text)
        if bare != text.lower().removesuffix("."):
            raise ValueError(f"a host pattern is a bare host name: {_use(bare)}")
        try:
            name = normalise_host(text.replace("*", "x"))
        except NonAsciiHost as error:
            form = "" if "*" in bare else error.ascii_form
            raise ValueError(
                f"a host pattern is written in ASCII: {_use(form)}"
            ) from None
        except ValueError as error:
            raise ValueError(
                f'a host pattern is a legal host name, such as "{_EXAMPLE}"; '
                f"this is not: {error}"
            ) from None
        if is_address(name):
            raise ValueError(
                "a host pattern is no IP address, since certificates are checked "
                f'against names: use a name, such as "{_EXAMPLE}"'
            )
        return cls._wild(bare) if "*" in bare else cls(name)

    @classmethod
    def _wild(cls, text: str) -> HostPattern:
        label, _, parent = text.partition(".")
        head, _, rest = label.partition("*")
        if "*" in parent or "*" in rest:
            raise ValueError(
                'a host pattern has one "*", inside its leftmost label: '
                'use "*.app.box.com" or "upload-*.app.box.com"'
            )
        if parent.count(".") + 1 < _LABELS_AFTER_STAR:
            raise ValueError(
                'a host pattern names two labels or more after the one with "*", '
                'or strangers could register what it matches: use "*.box.com"'
            )
        return cls(text, parent, head, f"{rest}.{parent}")

    def matches(self, host: str) -> bool:
        """Tell whether a host, as `normalise_host` returns it, is meant."""
        if not self.parent:
            return host == self.text
        middle = host[len(self.head) : len(host) - len(self.tail)]
        return (
            bool(middle)
            and "." not in middle
            and host.startswith(self.head)
            and host.endswith(self.tail)
        )

    def __str__(self) -> str:
        return self.text


def _bare(text: str) -> str:
    """Return what a host pattern with too much around it was meant to be."""
    rest = text.strip().lower()
    rest = rest.partition("://")[2] or rest
    rest = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    if not rest.startswith("[") and rest.count(":") == 1:
        rest = rest.partition(":")[0]
    return rest.removesuffix(".")


def _use(corrected: str) -> str:
    try:
        return f'use "{HostPattern.parse(corrected)}"'
    except ValueError:
        return f'use a name, such as "{_EXAMPLE}"'
