"""
everbearer's own way to start mitmproxy.

Any of mitmproxy's user interfaces, without the addons that could move a request
after the decision, with ours in their places.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from mitmproxy import exceptions, optmanager
from mitmproxy.options import Options
from mitmproxy.tools import cmdline
from mitmproxy.tools.main import process_options

from everbearer.errors import ConfigError, Problem
from everbearer.policy.hosts import join_authority
from everbearer.proxy import internals
from everbearer.proxy import options as our_options
from everbearer.proxy.assemble import assemble
from everbearer.proxy.authorities import authorities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mitmproxy.master import Master

    from everbearer.broker import Broker

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """What the proxy tells when it serves."""

    listening: tuple[str, ...]
    confdir: str  # of mitmproxy: where the CA is


class _Announce:
    """Tells once that everything listens."""

    def __init__(self, master: Master, on_ready: Callable[[Ready], None]) -> None:
        self._master = master
        self._on_ready = on_ready

    def running(self) -> None:
        proxyserver = self._master.addons.get("proxyserver")
        listening = tuple(
            f"{'reverse ' if server.mode.type_name == 'reverse' else ''}"
            f"{join_authority(*address[:2])}"
            for server in proxyserver.servers
            for address in server.listen_addrs
        )
        for name in self._master.options.deferred:
            logger.warning("mitmproxy has no option %s: it does nothing", name)
        confdir = os.path.expanduser(self._master.options.confdir)  # noqa: PTH111 - as mitmproxy does
        self._on_ready(Ready(listening, confdir))


async def run(
    broker: Broker,
    *,
    ui: str,
    arguments: Sequence[str],
    listeners: Sequence[str],
    on_ready: Callable[[Ready], None],
) -> None:
    """
    Run the proxy until it is told to stop (SIGINT, SIGTERM, or its interface).

    *arguments* are mitmproxy's own; *listeners* its mode specifications.
    Raises ConfigError where the two cannot be brought together. However it ends,
    the broker is stopped.
    """
    try:
        with authorities(broker.settings.network.ca_file) as trusted:
            master = _prepare(broker, ui, arguments, listeners, trusted, on_ready)
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(_not_of_cancelled)
            stop = getattr(master, "prompt_for_exit", master.shutdown)
            loop.add_signal_handler(signal.SIGINT, stop)
            loop.add_signal_handler(signal.SIGTERM, master.shutdown)
            await master.run()
    finally:
        await broker.stop()


def _not_of_cancelled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # The first Python 3.12 takes a connection that is cut at the end for a mistake.
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


def _prepare(
    broker: Broker,
    ui: str,
    arguments: Sequence[str],
    listeners: Sequence[str],
    trusted: Mapping[str, str],
    on_ready: Callable[[Ready], None],
) -> Master:
    missing = internals.check()
    if missing:
        raise ConfigError(
            Problem(
                "mitmproxy",
                f"this version lacks {', '.join(missing)}",
                "install one of mitmproxy >= 12, < 13",
            )
        )
    options = Options()
    master = _make_master(ui, options)
    _configure(master, ui, arguments)
    _apply(master, broker, listeners, trusted)
    control = _control_ports(options, ui)
    _install(master, broker, control, ui)
    master.addons.add(_Announce(master, on_ready))
    problems = our_options.problems(options, broker.rules)
    if problems:
        raise ConfigError(*(Problem("mitmproxy", text) for text in problems))
    master.addons.add(our_options.EverbearerOptions(broker))
    return master


def _make_master(ui: str, options: Options) -> Master:
    # Imported here: the interfaces take time to load, and only one is used.
    if ui == "console":
        from mitmproxy.tools.console.master import ConsoleMaster  # noqa: PLC0415

        return ConsoleMaster(options)
    if ui == "web":
        from mitmproxy.tools.web.master import WebMaster  # noqa: PLC0415

        return WebMaster(options, with_termlog=False)
    from mitmproxy.tools.dump import DumpMaster  # noqa: PLC0415

    return DumpMaster(options, with_termlog=False, with_dumper=False)


_PARSERS: Final = {
    "dump": cmdline.mitmdump,
    "console": cmdline.mitmproxy,
    "web": cmdline.mitmweb,
}


def _configure(master: Master, ui: str, arguments: Sequence[str]) -> None:
    """Read mitmproxy's own configuration and arguments, as its commands do."""
    options = master.options
    parser = _PARSERS[ui](options)  # type: ignore[no-untyped-call]
    parser.prog = "everbearer serve --"
    vars(parser)["error"] = _misused  # argparse would print its usage, and exit
    args = parser.parse_args(list(arguments))
    for name in ("options", "commands"):
        if getattr(args, name):
            _misused(f"--{name} runs no proxy", f"run: mitmdump --{name}")
    try:
        options.set(*args.setoptions, defer=True)
        optmanager.load_paths(
            options,
            os.path.join(options.confdir, "config.yaml"),  # noqa: PTH118 - as mitmproxy does
            os.path.join(options.confdir, "config.yml"),  # noqa: PTH118 - same
        )
        process_options(parser, options, args)
        if ui == "dump" and args.filter_args:
            text = " ".join(args.filter_args)
            options.update(save_stream_filter=text, readfile_filter=text)
    except exceptions.OptionsError as error:
        raise ConfigError(Problem("mitmproxy", str(error))) from error


def _misused(message: str, fix: str = "run: everbearer serve -- --help") -> NoReturn:
    """Say in our words what argparse, or we, find wrong with the arguments."""
    raise ConfigError(Problem("mitmproxy", f"in what follows --: {message}", fix))


def _apply(
    master: Master,
    broker: Broker,
    listeners: Sequence[str],
    trusted: Mapping[str, str],
) -> None:
    options = master.options
    if options.mode != ["regular"] or options.listen_host or options.listen_port:
        raise ConfigError(
            Problem(
                "mitmproxy",
                "listeners are set among mitmproxy's arguments or in its config.yaml",
                "set them in [[listeners]], or with --listen",
            )
        )
    wanted = our_options.wanted(broker.settings)
    try:
        options.update(mode=list(listeners), **wanted, **trusted)
        internals.set_idle_timeout(options, our_options.IDLE_TIMEOUT)
    except exceptions.OptionsError as error:
        raise ConfigError(Problem("mitmproxy", str(error))) from error


def _control_ports(options: Options, ui: str) -> frozenset[int]:
    if ui == "web" and "web_port" in options:
        return frozenset({options.web_port})
    return frozenset()


def _install(
    master: Master, broker: Broker, control_ports: frozenset[int], ui: str
) -> None:
    """Put our addons where they belong, and take out those that move requests."""
    manager = master.addons
    for name in our_options.FORBIDDEN_ADDONS:
        addon = manager.get(name)
        if addon is not None:
            manager.remove(addon)
    options = master.options
    looked_at = ui != "dump" or bool(options.save_stream_file or options.hardump)
    ours = assemble(broker, control_ports, keep_bodies=looked_at)
    manager.add(*ours.front)
    # Before next_layer, which decides what is decrypted; after scripts, which
    # so see no token on its way out.
    chain = manager.chain
    where = chain.index(manager.get("nextlayer"))
    for addon in ours.front:
        chain.remove(addon)
    chain[where:where] = ours.front
    manager.add(ours.guard)
