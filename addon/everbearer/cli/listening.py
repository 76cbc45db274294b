"""Where the proxy listens: what `--listen` changes, and whether it can be had."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from everbearer.errors import ConfigError, Problem
from everbearer.settings.listeners import parse_listen
from everbearer.settings.model import Address, Listener
from everbearer.settings.problems import Mistake

if TYPE_CHECKING:
    from everbearer.settings.model import Settings


def parse(text: str) -> Address:
    """
    Return the address that `--listen` names, port 0 made a free port.

    Raises Mistake.
    """
    free = text.endswith(":0")
    address = parse_listen(f"{text[:-1]}1" if free else text)
    return Address(address.host, _free_port(address.host)) if free else address


def with_listen(settings: Settings, address: Address | None) -> Settings:
    """Return the settings with the explicit proxy at *address*; others stay."""
    if address is None:
        return settings
    listeners = list(settings.listeners)
    for place, listener in enumerate(listeners):
        if not listener.reverse:
            listeners[place] = replace(listener, address=address)
            break
    else:
        listeners.append(Listener(address))
    return replace(settings, listeners=tuple(listeners))


def check_free(settings: Settings) -> None:
    """Raise ConfigError with every listener whose address cannot be had."""
    problems = []
    with ExitStack() as held:  # two listeners of ours may not share one either
        for listener in settings.listeners:
            try:
                held.enter_context(_bound(listener.address.host, listener.address.port))
            except OSError as error:
                problems.append(_problem(listener, error))
    if problems:
        raise ConfigError(*problems)


def _problem(listener: Listener, error: OSError) -> Problem:
    reason = (error.strerror or str(error)).lower()
    if error.errno == errno.EADDRINUSE:
        reason = "something else listens there"
    fix = "stop what listens there, or change it in [[listeners]]"
    if not listener.reverse:
        free = "everbearer serve --listen 127.0.0.1:0"
        fix = f"stop what listens there, or take a free port: {free}"
    return Problem("", f"cannot listen on {listener.address}: {reason}", fix)


def _free_port(host: str) -> int:
    try:
        with _bound(host, 0) as probe:
            port: int = probe.getsockname()[1]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Mistake(f"cannot listen on {host}: {reason}", "use 127.0.0.1:0") from None
    return port


def _bound(host: str, port: int) -> socket.socket:
    """Bind as the proxy will; on some systems two may bind, but only one listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    probe = socket.socket(family, socket.SOCK_STREAM)
    try:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen(1)
    except OSError:
        probe.close()
        raise
    return probe
