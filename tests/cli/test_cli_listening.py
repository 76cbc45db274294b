"""Where the proxy listens."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from everbearer.cli.listening import hold, parse, with_listen
from everbearer.errors import ConfigError
from everbearer.settings.model import (
    Address,
    Listener,
    ProxySettings,
    Settings,
    StoreSettings,
)
from everbearer.settings.problems import Mistake
from everbearer.users.user import user_of_one_run
from ports import unused_port

REVERSE = Listener(Address("127.0.0.1", 8082), "api.box.com", "dev")
SETTINGS = Settings(Path("c.toml"), {}, (), StoreSettings(None, None))


@pytest.mark.real
def test_port_0_is_made_a_free_port():
    """The port is known before the proxy starts; after a reload it is the same."""
    settings = with_listen(SETTINGS, parse("127.0.0.1:0"))
    with hold(settings) as held:
        [listener] = held.filled_in(settings).listeners
        assert listener.address.port != 0
        assert [(listener.address.host, listener.address.port)] == [*held.sockets]
        assert held.filled_in(settings).listeners == (listener,)


@pytest.mark.real
def test_nobody_takes_what_is_held():
    """From the moment when a port is chosen it is no other process's."""
    with hold(with_listen(SETTINGS, parse("127.0.0.1:0"))) as held:
        [address] = held.sockets
        with pytest.raises(OSError, match="in use"):
            socket.create_server(address)
    socket.create_server(address).close()


@pytest.mark.real
def test_a_free_port_is_none_that_another_listener_wants():
    """It is chosen when those that are named in the configuration are held."""
    reverse = replace(REVERSE, address=Address("127.0.0.1", unused_port()))
    before = replace(SETTINGS, listeners=(*SETTINGS.listeners, reverse))
    with hold(with_listen(before, parse("127.0.0.1:0"))) as held:
        first, last = held.sockets
    assert first == ("127.0.0.1", reverse.address.port)
    assert last != first


@pytest.mark.parametrize("text", ["::1:0", ":0", "x:0", "localhost:8080"])
def test_only_an_ip_address_is_listened_to(text):
    """A name may be anybody's, and a port alone is every interface."""
    with pytest.raises(Mistake):
        parse(text)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1"])
def test_other_machines_are_listened_to_for_users_only(host):
    """Without users whoever reaches the proxy could use the tokens."""
    address = Address(host, 8080)
    with pytest.raises(ConfigError, match="everbearer user NAME"):
        with_listen(SETTINGS, address)
    users = ProxySettings(users=(user_of_one_run("alice")[0],))
    moved = with_listen(replace(SETTINGS, proxy=users), address)
    assert moved.listeners == (Listener(address),)


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
        mine = Listener(Address("127.0.0.1", unused_port()))
        settings = replace(SETTINGS, listeners=(taken, mine, mine))
        with pytest.raises(ConfigError) as raised:
            hold(settings)
    places = [problem.message.split(": ")[0] for problem in raised.value.problems]
    assert places == [f"cannot listen on {each.address}" for each in (taken, mine)]
