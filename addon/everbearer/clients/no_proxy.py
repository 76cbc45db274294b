"""`NO_PROXY` without what would lead a tool past the proxy."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from everbearer.policy.hosts import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from everbearer.policy.hosts import HostPattern

_PORT: Final = re.compile(r":[0-9]*\Z")


def leading_past(text: str, ruled: Iterable[HostPattern]) -> tuple[str, ...]:
    """
    Return every entry by which some tool would avoid us.

    No two tools read it alike: `box.com` and `.box.com` are suffixes (to requests
    2.32 of the bare text), `*` is everything, some know globs, a port may follow.
    An entry counts when any of them could take it for a ruled host. Addresses and
    CIDR blocks do not, for no ruled host is an address.
    """
    patterns = tuple(ruled)
    return tuple(entry for entry in _entries(text) if _covers(entry, patterns))


def without_ruled(text: str, ruled: Iterable[HostPattern]) -> str:
    """Return the list without those entries, and with this machine's own names."""
    past = leading_past(text, ruled)
    kept = [entry for entry in _entries(text) if entry not in past]
    # What a command serves to itself is nothing to us.
    return ",".join(dict.fromkeys([*kept, *LOOPBACK]))


def _entries(text: str) -> list[str]:
    return [entry for entry in re.split(r"[\s,|]+", text) if entry]


def _covers(entry: str, ruled: Sequence[HostPattern]) -> bool:
    name = entry.lower()
    if _is_network(name):
        return False
    name = _PORT.sub("", name).strip(".")
    return any(_means(name, pattern) for pattern in ruled)


def _is_network(name: str) -> bool:
    bare = re.sub(r"\A\[(.*)\](?::[0-9]*)?\Z", r"\1", name)
    for each in (bare, _PORT.sub("", bare)):
        try:
            ip_network(each, strict=False)
        except ValueError:
            continue
        return True
    return False


def _means(name: str, ruled: HostPattern) -> bool:
    sample = ruled.text.replace("*", "x")
    suffix = name.removeprefix("*").removeprefix(".")
    return (
        sample.endswith(suffix)
        or ruled.matches(name)
        or fnmatchcase(sample, name)
        or ("*" in ruled.text and fnmatchcase(suffix, ruled.text))
    )
