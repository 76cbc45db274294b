"""The proxy of one run: for the command beside it alone, and ended with it."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import signal
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.audit.log import keep_log
from everbearer.broker import Broker
from everbearer.certificates import make_authority
from everbearer.cli import logs, voice
from everbearer.cli.configuration import chosen, read
from everbearer.cli.event_lines import line_of, teller
from everbearer.cli.listening import hold, parse
from everbearer.clients.constraints import constraints
from everbearer.clients.trust_files import trust_store, write_trust
from everbearer.clients.upstream import (
    first_given,
    local_place_of,
    marked,
    marks,
    place_of,
    upstream_proxy,
)
from everbearer.clients.variables import (
    JAVA,
    Endpoint,
    java_options,
    proxy_variables,
)
from everbearer.events import Exchanged
from everbearer.policy.choice import NO_DEFAULT
from everbearer.proxy import launcher
from everbearer.settings.model import Address, Ca, Listener, Unmatched
from everbearer.settings.real_box import not_the_real_box
from everbearer.users.user import user_of_one_run

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.certificates import Issued
    from everbearer.cli.beside import Beside
    from everbearer.clients.upstream import Place
    from everbearer.events import Event
    from everbearer.settings.model import NetworkSettings, Settings

_USER: Final = "everbearer"

_LIFE: Final = dt.timedelta(days=90)
"""Of a run's authority, whose key is nowhere but in the proxy's memory."""


def serve(
    beside: Beside,
    config: Path | None,
    profile: str | None,
    verbose: bool,
) -> int:
    """Serve until the command of *beside* has ended."""
    logs.configure(0, "dump")
    address = parse("127.0.0.1:0")
    user, password = user_of_one_run(_USER)

    def private(settings: Settings) -> Settings:
        settings = _private(settings, address, profile, ours)
        proxy = replace(settings.proxy, users=(user,), ca=Ca.RUN)
        return replace(settings, proxy=proxy)

    found = read(config)
    ours = _everbearers(found.network)
    settings = private(found)
    _tell_way(found.network, settings.network, ours)
    if verbose:
        for warning in settings.warnings:
            voice.warn(warning)
        if elsewhere := not_the_real_box(settings):
            voice.warn(elsewhere)
    now = dt.datetime.now(dt.UTC)
    permitted = constraints(settings.ruled)
    authority = make_authority("everbearer, one run", permitted, now, _LIFE)

    with ExitStack() as stack:
        held = stack.enter_context(hold(settings))
        [(host, port)] = held.sockets
        endpoint = Endpoint(host, port, user.name, password)
        broker = Broker(
            held.filled_in(settings), lambda: held.filled_in(private(read(config)))
        )
        stack.enter_context(keep_log(broker, voice.warn, must=True))
        broker.subscribe(teller(logging.INFO) if verbose else _tell_trouble)

        def on_ready(_: launcher.Ready) -> None:
            asyncio.get_running_loop().add_reader(beside.command, _end, beside)
            told = _variables(beside.folder, settings, authority, endpoint)
            beside.ready(told | marks((host, port), os.environ, ours))

        asyncio.run(
            launcher.run(
                broker,
                ui="dump",
                arguments=("--set", f"confdir={beside.folder}"),
                sockets=held.sockets,
                on_ready=on_ready,
                authority=authority,
            )
        )
    return 0


def _private(
    settings: Settings, address: Address, profile: str | None, ours: frozenset[Place]
) -> Settings:
    """Return the settings of a proxy for one command, at *address*."""
    if profile is not None:
        chosen(settings, [profile])
    network, proxy = settings.network, settings.proxy
    if not (network.upstream_proxy or network.connect_to):
        network = replace(network, upstream_proxy=upstream_proxy(os.environ, ours))
    if proxy.unmatched_hosts is Unmatched.INSPECT:
        # The run's authority speaks for ruled hosts alone.
        proxy = replace(proxy, unmatched_hosts=Unmatched.TUNNEL)
    listener = Listener(address, profile=profile or "")
    return replace(settings, listeners=(listener,), network=network, proxy=proxy)


def _everbearers(network: NetworkSettings) -> frozenset[Place]:
    """Return the everbearers among the proxies that the environment leads to."""
    ours = marked(os.environ)
    name = first_given(os.environ)
    place = local_place_of(os.environ.get(name, ""))
    if place is None or place in ours or network.upstream_proxy:
        return ours
    # Set by hand, and maybe without a mark: it tells by itself.
    from everbearer.doctor.ports import is_everbearer

    return ours | {place} if asyncio.run(is_everbearer(Address(*place))) else ours


def _tell_way(
    given: NetworkSettings, network: NetworkSettings, ours: frozenset[Place]
) -> None:
    """Tell in a line why a proxy of the environment's is not gone by."""
    name = first_given(os.environ)
    if not name or given.upstream_proxy:
        return
    place = place_of(os.environ[name])
    is_ours = place is not None and place in ours
    if given.connect_to and not is_ours:
        voice.warn(
            f"${name} is not gone by: network.connect_to excludes it, and hosts"
            " that connect_to does not name are dialled directly"
        )
    elif is_ours and not given.connect_to:
        way = network.upstream_proxy or "directly"
        voice.say(f"${name} is an everbearer; this command goes past it, {way}")


def _variables(
    folder: Path, settings: Settings, authority: Issued, endpoint: Endpoint
) -> dict[str, str | None]:
    told = proxy_variables(endpoint, settings.ruled, os.environ)
    told |= write_trust(folder, authority.certificate_pem(), os.environ, time.time())
    store = trust_store(folder)
    told[JAVA] = java_options(endpoint, store, told["NO_PROXY"], os.environ)
    return dict.fromkeys(settings.variables) | told


def _end(beside: Beside) -> None:
    asyncio.get_running_loop().remove_reader(beside.command)
    beside.fall_silent()
    os.kill(os.getpid(), signal.SIGTERM)


def _tell_trouble(event: Event) -> None:
    """Tell in one line what makes a request fail: the rest is the command's."""
    line = line_of(event)
    if line.level >= logging.WARNING:
        hint = line.hint
        if isinstance(event, Exchanged) and event.note == NO_DEFAULT:
            hint = "choose one for the whole command: everbearer exec -p PROFILE"
        voice.say("; ".join(filter(None, [line.text, hint])), line.colour)
