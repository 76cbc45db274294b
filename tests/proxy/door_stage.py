"""Hooks of a proxy whose users can be changed."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Server
from mitmproxy.http import HTTPFlow
from mitmproxy.options import Options
from mitmproxy.test import taddons

from everbearer.broker import Broker
from everbearer.events import Event
from everbearer.policy.hosts import HostPattern
from everbearer.proxy.assemble import assemble
from everbearer.proxy.notes import Notes
from everbearer.settings.model import (
    Address,
    ConnectTo,
    NetworkSettings,
    ProxySettings,
    Settings,
    StoreSettings,
)
from everbearer.stores.memory import MemoryStore
from everbearer.users.user import User, user_of_one_run
from proxy.flows import asked


def basic(text: str) -> str:
    """Return credentials as a field has them."""
    return "Basic " + base64.b64encode(text.encode()).decode()


ALICE, PASSWORD = user_of_one_run("alice")
GOOD = basic(f"alice:{PASSWORD.reveal()}")


LED = NetworkSettings(
    connect_to=(ConnectTo(HostPattern("led.test"), 443, Address("10.0.0.9", 9443)),)
)


@dataclass
class Here:
    """A broker whose users can be changed, and all hooks of a proxy on it."""

    broker: Broker
    users: list[User]
    addons: tuple[object, ...] = ()
    notes: Notes = field(default_factory=Notes)
    events: list[Event] = field(default_factory=list)
    proxyserver: Proxyserver = field(default_factory=Proxyserver)
    options: Options = field(default_factory=Options)

    def hooks[T](self, kind: type[T]) -> T:
        return next(each for each in self.addons if isinstance(each, kind))


def settings_of(*users: User) -> Settings:
    """Return a configuration with these users, which leads led.test elsewhere."""
    return Settings(
        Path("x.toml"),
        {},
        (),
        StoreSettings(None, None),
        proxy=ProxySettings(users=users),
        network=LED,
    )


@asynccontextmanager
async def door_stage() -> AsyncIterator[Here]:
    """Give hooks where alice is the one user."""
    users = [ALICE]

    def load() -> Settings:
        return settings_of(*users)

    broker = Broker(load(), load, store=MemoryStore())
    made = Here(broker, users)
    with taddons.context(made.proxyserver) as context:
        context.options.update(listen_host="127.0.0.1")
        made.options = context.options
        made.addons = assemble(broker, frozenset(), looked_at=False).front
        broker.subscribe(made.events.append)
        yield made
    await broker.stop()


def absolute(**fields: str) -> HTTPFlow:
    """Return a request in absolute form for a host that no rule names."""
    flow = asked(**fields)
    flow.server_conn = Server(address=None)
    flow.request.data.host, flow.request.data.port = "elsewhere.test", 80
    flow.request.scheme = "http"
    flow.request.headers["host"] = "elsewhere.test"
    return flow


def connect(**fields: str) -> HTTPFlow:
    """Return a CONNECT."""
    flow = absolute(**fields)
    flow.request.method = "CONNECT"
    return flow
