"""
everbearer inside a stock mitmproxy: `mitmdump -s addon/inject.py`.

The same decisions and the same hooks. What cannot be made safe there is refused
at start: options that move requests, listeners beyond loopback.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx, exceptions

from everbearer.audit.log import keep_log
from everbearer.broker import Broker
from everbearer.clients.own_authority import find_or_make, own_folder
from everbearer.errors import EverbearerError
from everbearer.events import (
    ClientRedeemed,
    ConfigurationChanged,
    EmergencyCopy,
    RenewalFailed,
    SaveFailed,
)
from everbearer.notify.notifier import keep_notifying
from everbearer.policy.hosts import is_loopback
from everbearer.proxy import internals
from everbearer.proxy import options as our_options
from everbearer.proxy.assemble import assemble
from everbearer.proxy.authorities import authorities
from everbearer.proxy.issuing import OwnCertificates
from everbearer.proxy.joined import EverbearerFront
from everbearer.proxy.outgrown import tell_outgrown
from everbearer.proxy.speed import hasten
from everbearer.settings.model import Ca

if TYPE_CHECKING:
    from mitmproxy.addonmanager import Loader
    from mitmproxy.connection import Client

    from everbearer.events import Event
    from everbearer.notify.notifier import Notifier
    from everbearer.proxy.assemble import Addons
    from everbearer.settings.model import Standing

logger = logging.getLogger(__name__)

_OPTION: Final = "everbearer_config"


class Everbearer:
    """One script for mitmdump, mitmproxy and mitmweb; once in a process."""

    _instances = 0

    def __init__(self) -> None:
        self.addons: list[object] = []
        self._broker: Broker | None = None
        self._notifier: Notifier | None = None
        self._held = ExitStack()
        self._modes: list[str] = []
        self._started = False
        self._given = ""
        self._ready = False

    def load(self, loader: Loader) -> None:
        """Declare the one option: the path of our file."""
        loader.add_option(
            _OPTION,
            str,
            "",
            "The configuration of everbearer (default: $EVERBEARER_CONFIG, else "
            "the user's configuration folder).",
        )

    def configure(self, _updated: set[str]) -> None:
        """
        Read the configuration, once every script is loaded.

        Raises OptionsError where it is to be another one later: mitmproxy then
        puts the old name back.
        """
        given = getattr(ctx.options, _OPTION)
        if not self._started:
            self._started = True  # setting options below comes here again
            self._given = given
            self._start()
        elif given != self._given:
            raise exceptions.OptionsError(
                f"everbearer: {_OPTION} is read at the start only: restart mitmproxy"
                " for another file; a change inside the file takes over by itself"
            )

    def client_connected(self, client: Client) -> None:
        """Let nobody in where the start has failed and mitmproxy goes on."""
        if not self._ready:
            client.error = "everbearer could not start"

    def running(self) -> None:
        """
        Listen where we should.

        mitmproxy loads scripts while it opens its listeners, by then perhaps on
        every interface: they are opened anew. Until then whoever comes from
        elsewhere is turned away one by one.
        """
        if self._modes and not _all_loopback():
            ctx.options.update(mode=self._modes)
        if self._notifier is not None:
            self._notifier.begin()

    def done(self) -> None:
        """Remove what was written for the time of running, and close the log."""
        self._held.close()

    def _start(self) -> None:
        Everbearer._instances += 1
        try:
            broker = self._open()
            self._set_options(broker)
            self._show_own(broker)
        except (EverbearerError, exceptions.OptionsError) as error:
            # Not raised: mitmproxy would show a traceback. It exits with 1 when
            # anything was logged as an error while it starts.
            self.done()
            for line in str(error).removeprefix("everbearer: ").splitlines():
                logger.error("everbearer: %s", line)  # noqa: TRY400 - see above
            return
        self._broker = broker
        self._held.enter_context(keep_log(broker, logger.warning, must=True))
        self._notifier = keep_notifying(broker, _warn)
        broker.subscribe(lambda event: _tell(event, broker.standing))
        for warning in broker.settings.warnings:
            logger.warning("everbearer: %s", warning)
        self._install(assemble(broker, _control_ports(), looked_at=True))
        self._ready = True

    def _open(self) -> Broker:
        if Everbearer._instances > 1:
            # mitmproxy loads a changed script anew, and not what it imports.
            raise exceptions.OptionsError(
                "the script was loaded again: restart mitmproxy"
            )
        missing = internals.check()
        if missing:
            raise exceptions.OptionsError(f"mitmproxy lacks {', '.join(missing)}")
        given = getattr(ctx.options, _OPTION)
        return Broker.from_file(Path(given) if given else None, os.environ)

    def _show_own(self, broker: Broker) -> None:
        settings = broker.settings
        if settings.proxy.ca is Ca.OWN:
            now = dt.datetime.now(dt.UTC)
            own = find_or_make(own_folder(), settings.ruled, now)
            for doubt in own.doubts(settings.ruled, now):
                logger.warning("everbearer: %s", doubt)
            tlsconfig = ctx.master.addons.get("tlsconfig")
            internals.show_certificates_of(tlsconfig, OwnCertificates(own.issued))
            tell_outgrown(broker, own.issued)

    def _set_options(self, broker: Broker) -> None:
        options, settings = ctx.options, broker.settings
        wanted = our_options.wanted(settings)
        # Whoever names no listener gets those of the configuration; mitmproxy's
        # own default is every interface of the machine.
        if options.mode == ["regular"] and not options.listen_host:
            wanted["mode"] = (
                our_options.modes(settings)
                if options.listen_port is None
                else [f"regular@127.0.0.1:{options.listen_port}"]
            )
            self._modes = wanted["mode"]
        trusted = authorities(settings.network.ca_file)
        wanted |= self._held.enter_context(trusted)
        options.update(**wanted)
        internals.set_idle_timeout(options, our_options.IDLE_TIMEOUT)
        found = our_options.problems(options, broker.rules)
        if found:
            raise exceptions.OptionsError("; ".join(found))

    def _install(self, ours: Addons) -> None:
        # As children of this script they stand before next_layer and whatever
        # saves flows; the guard goes behind everything that is there.
        manager = ctx.master.addons
        assert self._broker is not None
        hasten(ctx.master)
        watch = our_options.EverbearerOptions(self._broker)
        self.addons = [manager.register(EverbearerFront(*ours.front, watch))]
        manager.add(*ours.alone, ours.guard)


def _tell(event: Event, standing: Standing) -> None:
    """Put into mitmproxy's log what nobody would learn of otherwise."""
    match event:
        case ConfigurationChanged() if event.problems:
            logger.error(
                "everbearer: %s cannot be used, the old configuration stays in force: "
                "%s",
                event.source,
                " | ".join(event.problems),
            )
        case ConfigurationChanged() if event.needs_restart:
            logger.warning(
                "everbearer: %s is in force, but for: %s; restart mitmproxy for these",
                event.source,
                ", ".join(event.needs_restart),
            )
        case ConfigurationChanged():
            logger.info("everbearer: %s is in force", event.source)
        case RenewalFailed():
            logger.warning(
                "everbearer: %s: not renewed (%s), %s: %s; %s",
                event.profile,
                event.cause,
                event.code,
                event.message,
                standing.in_full(event.hint),
            )
        case ClientRedeemed() if event.outcome != "saved":
            logger.warning(
                "everbearer: %s: %s; %s",
                event.profile,
                event.message,
                standing.in_full(event.hint),
            )
        case SaveFailed():
            logger.error(
                "everbearer: %s: the new token cannot be saved (emergency copy: %s):"
                " %s; %s",
                event.profile,
                event.rescued or "none",
                event.message,
                standing.in_full(event.hint),
            )
        case EmergencyCopy():
            logger.warning(
                "everbearer: %s: %s %s",
                event.profile,
                event.message,
                standing.in_full(event.hint),
            )


def _warn(text: str) -> None:
    logger.warning("everbearer: %s", text)


def _control_ports() -> frozenset[int]:
    port = getattr(ctx.options, "web_port", None)
    return frozenset({port}) if isinstance(port, int) else frozenset()


def _all_loopback() -> bool:
    proxyserver = ctx.master.addons.get("proxyserver")
    return all(
        is_loopback(address[0])
        for server in proxyserver.servers
        for address in server.listen_addrs
    )
