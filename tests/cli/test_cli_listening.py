"""Where the proxy listens."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from everbearer.cli.listening import check_free, parse, with_listen
from everbearer.errors import ConfigError
from everbearer.settings.model import Address, Listener, Settings, StoreSettings
from everbearer.settings.problems import Mistake

REVERSE = Listener(Address("127.0.0.1", 8082), "api.box.com", "dev")
SETTINGS = Settings(Path("c.toml"), {}, (), StoreSettings(None, None))


@pytest.mark.real
def test_port_0_is_made_a_free_port():
    """The port is known before the proxy starts, so that rules may name it."""
    address = parse("127.0.0.1:0")
    assert address.port != 0
    check_free(with_listen(SETTINGS, address))


@pytest.mark.parametrize("text", ["0.0.0.0:0", "10.0.0.1:8080", "::1:0", ":0", "x:0"])
def test_other_machines_are_never_listened_to(text):
    """Only addresses of this machine are taken, with port 0 as well."""
    with pytest.raises(Mistake):
        parse(text)


def test_only_the_first_explicit_proxy_moves():
    """Reverse listeners and further proxies stay where they are."""
    other = Listener(Address("127.0.0.1", 8081))
    before = replace(SETTINGS, listeners=(REVERSE, *SETTINGS.listeners, other))
    moved = with_listen(before, Address("127.0.0.1", 1234))
    assert moved.listeners == (REVERSE, Listener(Address("127.0.0.1", 1234)), other)


def test_without_an_explicit_proxy_there_is_one_more():
    """--listen opens a proxy where the configuration has only reverse listeners."""
    before = replace(SETTINGS, listeners=(REVERSE,))
    moved = with_listen(before, Address("127.0.0.1", 1234))
    assert moved.listeners == (REVERSE, Listener(Address("127.0.0.1", 1234)))


@pytest.mark.real
def test_every_taken_address_is_told():
    """All that is taken is told at once, also what two of ours want."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Listener(Address("127.0.0.1", other.getsockname()[1]))
        mine = Listener(parse("127.0.0.1:0"))
        settings = replace(SETTINGS, listeners=(taken, mine, mine))
        with pytest.raises(ConfigError) as raised:
            check_free(settings)
    places = [problem.message.split(": ")[0] for problem in raised.value.problems]
    assert places == [f"cannot listen on {each.address}" for each in (taken, mine)]
