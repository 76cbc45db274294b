"""What differs between two looks at a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from everbearer.settings.model import Settings

_NEEDS_RESTART: Final[Mapping[str, Callable[[Settings], object]]] = {
    "audit": lambda settings: settings.audit,
    "dashboard": lambda settings: settings.dashboard,
    "listeners": lambda settings: settings.listeners,
    "store": lambda settings: settings.store,
    "network.ca_file": lambda settings: (
        settings.network.ca_file,
        settings.network.ca_digest,
    ),
    "network.upstream_proxy": lambda settings: settings.network.upstream_proxy,
    "proxy.ca": lambda settings: settings.proxy.ca,
    "proxy.http2": lambda settings: settings.proxy.http2,
    "proxy.spool_limit": lambda settings: settings.proxy.spool_limit,
}


def needs_restart(old: Settings, new: Settings) -> tuple[str, ...]:
    """Return the keys that differ and take effect only in a new process."""
    return tuple(
        name for name, part in _NEEDS_RESTART.items() if part(old) != part(new)
    )


def stamps(paths: Iterable[Path]) -> dict[Path, tuple[int, int, int] | None]:
    """Return what tells one state of the files from another; None for none."""
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
