"""
Paths: every way in which a server may read one, and patterns that match them.

A proxy that judges `/2.0/%2e%2e/oauth2/token` by one reading, in front of a
server that has another, gives a token to what it meant to exclude. So all
readings are judged: a token goes out only where they agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

_LAYERS: Final = 2
"""How many programs may read a path one after another: a front end, a server."""

_LONGEST: Final = 8192
"""Characters of a path that has several readings (RFC 9110 §4.1 asks for 8000)."""

# A path that everybody reads alike: no escapes, parameters, backslashes, empty
# or dot segments. Possessive, so that a long one takes linear time.
_CANONICAL: Final = re.compile(
    r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~!$&'()*+,=:@-]++)*+/?"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# What RFC 3986 §3.3 has no place for in a path and some servers cut or split at.
_ILLEGAL: Final = re.compile(r"[\x00-\x20\x7f?#]|%(?![0-9A-Fa-f]{2})")
# RFC 3986 §2.3: letters, digits, "-", ".", "_", "~", as escapes.
_UNRESERVED: Final = re.compile(
    r"%(?:3[0-9]|[46][1-9A-F]|[57][0-9A]|2[DE]|5F|7E)", re.IGNORECASE
)

# What tells the kind of an address: a name and a short number, in either order,
# else the first name.
_KIND: Final = re.compile(
    r"(?:/[A-Za-z_]{1,16}/[0-9.]{1,3}|/[0-9.]{1,3}/[A-Za-z_]{1,16}|/[A-Za-z_]{1,16})(?=/)"
)


def readings(raw: str) -> tuple[str, ...]:
    """
    Return every way in which servers read a path (without its query), raw first.

    Raises ValueError for what is not a path, or holds control characters or
    escapes that are not UTF-8 in any reading. "*" is read as itself.
    """
    if is_canonical(raw) or raw == "*":
        return (raw,)
    if not raw.startswith("/") or _ILLEGAL.search(raw):
        raise ValueError("not a legal path")
    if len(raw) > _LONGEST:
        raise ValueError(f"a path with escapes exceeds {_LONGEST} characters")
    found = {raw: None}
    for habit in _HABITS * _LAYERS:
        found |= dict.fromkeys(map(habit, found))
    if any(map(_CONTROL.search, found)):
        raise ValueError("a path holds control characters")
    return tuple(found)


def is_canonical(path: str) -> bool:
    """Tell whether a path has only one reading."""
    return bool(path) and _CANONICAL.fullmatch(path) is not None


def masked(path: str) -> str:
    """
    Return what may be told of a path that is itself a credential.

    Only the kind of address is left: `/d/1/…`, `/2.0/zip_downloads/…`; of a path
    that has several readings nothing.
    """
    return f"{_kind_of(path)}/…"


def masked_target(path: str) -> str:
    """Return the same as a path that is legal in a request, and leads nowhere."""
    return f"{_kind_of(path)}/****"


def _kind_of(path: str) -> str:
    kind = _KIND.match(path) if is_canonical(path) else None
    return kind[0] if kind else ""


def _decode_unreserved(path: str) -> str:
    """RFC 3986 §6.2.2.2: such escapes should never have been made."""
    return _UNRESERVED.sub(lambda escape: chr(int(escape[0][1:], 16)), path)


def _decode(path: str) -> str:
    return unquote_to_bytes(path).decode() if "%" in path else path


def _backslash_is_slash(path: str) -> str:
    return path.replace("\\", "/")


def _cut_parameters(path: str) -> str:
    """RFC 3986 §3.3 knows `;v=1` in segments; a decoded "?" or "#" ends the path."""
    return re.sub(r";[^/]*|[?#].*", "", path)


def _collapse_slashes(path: str) -> str:
    return re.sub(r"//+", "/", path)


def _remove_dot_segments(path: str) -> str:
    """RFC 3986 §5.2.4."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


_HABITS: Final[tuple[Callable[[str], str], ...]] = (
    _decode_unreserved,
    _decode,
    _backslash_is_slash,
    _cut_parameters,
    _collapse_slashes,
    _remove_dot_segments,
)
"""What some servers do with a path and others do not, each by itself."""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A path, or with `prefix` the beginning of one; made by `parse`."""

    path: str
    prefix: bool = False

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        """Raise ValueError, whose message has the corrected form."""
        path = text.removesuffix("*")
        if "*" in path:
            example = path[: path.index("*") + 1]
            raise ValueError(
                f'a path pattern has one "*", at its end: use "{_absolute(example)}"'
            )
        if not path.startswith("/"):
            raise ValueError(f'a path pattern starts with "/": use "{_absolute(text)}"')
        if not is_canonical(path):
            raise ValueError(
                "a path pattern is a plain path, without escapes, parameters, "
                f"query, empty or dot segments: {_corrected(path, text)}"
            )
        return cls(path, prefix=path != text)

    def matches(self, reading: str) -> bool:
        """Tell whether a path in one of its readings is meant."""
        if self.prefix:
            return reading.startswith(self.path)
        return reading == self.path

    def matches_any_case(self, reading: str) -> bool:
        """Tell the same of a server to which upper and lower case are one."""
        folded, path = reading.casefold(), self.path.casefold()
        return folded.startswith(path) if self.prefix else folded == path

    def __str__(self) -> str:
        return f"{self.path}*" if self.prefix else self.path


def _absolute(text: str) -> str:
    return f"/{text.partition('://')[2].partition('/')[2] or text.lstrip('/')}"


def _corrected(path: str, text: str) -> str:
    star = "" if path == text else "*"
    try:
        for habit in _HABITS * _LAYERS:
            path = habit(path)
    except UnicodeError:
        path = ""
    return f'use "{path}{star}"' if is_canonical(path) else 'such as "/2.0/*"'
