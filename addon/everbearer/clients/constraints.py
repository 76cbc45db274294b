"""What an authority of ours is constrained to: the hosts of the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.certificates import permits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everbearer.policy.hosts import HostPattern


def constraints(ruled: Iterable[HostPattern]) -> tuple[str, ...]:
    """
    Return the names that cover the rules' hosts, none below another, in order.

    A certificate's constraint is a name and everything below it (RFC 5280
    §4.2.1.10): the pattern `upload-*.app.box.com` needs `app.box.com`.
    """
    names = {pattern.parent or pattern.text for pattern in ruled}
    return tuple(sorted(n for n in names if not permits(names - {n}, n)))


def outside(ruled: Iterable[HostPattern], permitted: Iterable[str]) -> tuple[str, ...]:
    """Return the rules' hosts that an authority may not speak for."""
    names = tuple(permitted)
    texts = (p.text for p in ruled if not permits(names, p.parent or p.text))
    return tuple(dict.fromkeys(texts))
