"""What a server asks for when it answers 401: challenges of WWW-Authenticate."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# RFC 9110 §5.6.2 token, §5.6.4 quoted-string, §11.2 token68 and auth-param.
# Every quantifier that could be tried again is possessive, so that the work is
# linear in the length of the field whatever the field holds.
_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED: Final = r'"(?:[^"\\]++|\\.)*+"'
_END: Final = r"(?=[ \t]*+(?:,|\Z))"

_GAP: Final = re.compile(r"[ \t,]*+")
_SPACES: Final = re.compile(r" ++")
_SCHEME: Final = re.compile(rf"({_WORD})(?= |{_END})(?![ \t]*+=)")
_TOKEN68: Final = re.compile(rf"([A-Za-z0-9\-._~+/]++=*+){_END}")
_PARAM: Final = re.compile(
    rf"({_WORD})[ \t]*+=[ \t]*+(?:({_WORD})|({_QUOTED})){_END}", re.DOTALL
)
_JUNK: Final = re.compile(rf'(?:[^",]++|{_QUOTED})*+', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """
    One challenge (RFC 9110 §11.3); the scheme and names of params are lower case.

    A challenge has `token68` or `params` or neither. A name that came twice
    keeps its first value.
    """

    scheme: str
    token68: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scheme", self.scheme.lower())
        params: dict[str, str] = {}
        for name, value in self.params.items():
            params.setdefault(name.lower(), value)
        object.__setattr__(self, "params", params)


def parse(field_values: Iterable[str]) -> tuple[Challenge, ...]:
    """
    Read every challenge in the values of a field (RFC 9110 §11.6.1).

    Never raises; what cannot be read is skipped up to the next comma, or to the
    end of its value where a quote is not closed. Reads credentials (§11.4) as
    well, which have the same form.
    """
    read: list[tuple[str, str, dict[str, str]]] = []
    for value in field_values:
        position = _match(_GAP, value, 0)
        while position < len(value):
            position = _element(value, position, read)
            position = _match(_GAP, value, position)
    return tuple(Challenge(*parts) for parts in read)


def bearer_error(field_values: Iterable[str]) -> str | None:
    """Return the `error` of the first Bearer challenge that has one (RFC 6750 §3)."""
    for challenge in parse(field_values):
        if challenge.scheme == "bearer" and "error" in challenge.params:
            return challenge.params["error"]
    return None


def _element(
    value: str, position: int, read: list[tuple[str, str, dict[str, str]]]
) -> int:
    """Read one member of the list into `read` and return where it ends."""
    if scheme := _SCHEME.match(value, position):
        position = _match(_SPACES, value, scheme.end())
        if token68 := _TOKEN68.match(value, position):
            read.append((scheme[1], token68[1], {}))
            return token68.end()
        read.append((scheme[1], "", {}))
    if param := _PARAM.match(value, position):
        if read:
            text = _unquoted(param[3]) if param[3] else param[2]
            read[-1][2].setdefault(param[1], text)
        return param.end()
    return _skip(value, position)


def _skip(value: str, position: int) -> int:
    end = _match(_JUNK, value, position)
    # A quote that is never closed leaves no comma to be trusted behind it.
    return len(value) if value.startswith('"', end) else end


def _match(pattern: re.Pattern[str], value: str, position: int) -> int:
    found = pattern.match(value, position)
    return found.end() if found else position


def _unquoted(quoted: str) -> str:
    return _ESCAPE.sub(r"\1", quoted[1:-1])
