"""Where the proxy listens: what `--listen` changes, and that it can be had."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from everbearer.errors import ConfigError, Problem
from everbearer.proxy.addresses import Held
from everbearer.settings.listeners import check_guarded, parse_listen
from everbearer.settings.model import Address, Listener
from everbearer.settings.problems import Mistake

if TYPE_CHECKING:
    from everbearer.settings.model import Settings


def parse(text: str) -> Address:
    """
    Return the address that `--listen` names; port 0 stands for a free one.

    Raises Mistake.
    """
    free = text.endswith(":0")
    address = parse_listen(f"{text[:-1]}1" if free else text)
    return Address(address.host, 0) if free else address


def with_listen(settings: Settings, address: Address | None) -> Settings:
    """
    Return the settings with the explicit proxy at *address*; others stay.

    Raises ConfigError where others reach that address and there are no users.
    """
    if address is None:
        return settings
    try:
        check_guarded(address, guarded=bool(settings.proxy.users))
    except Mistake as mistake:
        raise ConfigError(
            Problem("--listen", mistake.message, mistake.fix),
            files=settings.watched,
        ) from None
    listeners = list(settings.listeners)
    for place, listener in enumerate(listeners):
        if not listener.reverse:
            listeners[place] = replace(listener, address=address)
            break
    else:
        listeners.append(Listener(address))
    return replace(settings, listeners=tuple(listeners))


def hold(settings: Settings) -> Held:
    """
    Return every listener's address, held until it is closed.

    Raises ConfigError with all that cannot be had.
    """
    held = Held(settings.listeners)
    if held.problems:
        with held:
            raise ConfigError(*held.problems.values())
    return held
