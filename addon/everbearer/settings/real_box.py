"""Whether requests really reach the servers that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from everbearer.policy.hosts import HTTPS_PORT
from everbearer.policy.rules import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from everbearer.settings.model import Settings

EXAMPLE: Final = "https://api.box.com/2.0/users/me"
"""A request that every working configuration answers."""


def led_elsewhere(settings: Settings) -> dict[str, str]:
    """Return where `connect_to` leads the hosts of tokens, by host and port."""
    dialled = {
        f"{host}:{port}": settings.network.dialled(host, port)
        for host, port in _token_hosts(settings)
    }
    return {name: str(address) for name, address in dialled.items() if address}


def not_the_real_box(settings: Settings) -> str:
    """Return NOT THE REAL BOX with the addresses, "" where it is."""
    led: dict[str, list[str]] = {}
    for name, address in led_elsewhere(settings).items():
        led.setdefault(address, []).append(name.removesuffix(f":{HTTPS_PORT}"))
    if not led:
        return ""
    ways = "; ".join(f"{_briefly(names)} to {to}" for to, names in led.items())
    return f"NOT THE REAL BOX: connect_to leads {ways}"


def _briefly(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _token_hosts(settings: Settings) -> Iterator[tuple[str, int]]:
    for profile in settings.profiles.values():
        url = urlsplit(profile.token_url)
        yield url.hostname or "", url.port or HTTPS_PORT
    for rule in settings.rules:
        if rule.action is Action.INJECT:
            yield from (
                (host.text, HTTPS_PORT) for host in rule.hosts if not host.parent
            )
