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

from everbearer.errors import ConfigError, Problem
from everbearer.policy.hosts import join_authority
from everbearer.proxy import speed
from everbearer.proxy.authorities import authorities
from everbearer.proxy.outgrown import tell_outgrown
from everbearer.proxy.speed.loading import lightly

with lightly():
    from mitmproxy import exceptions, optmanager
    from mitmproxy.options import Options
    from mitmproxy.tools import cmdline
    from mitmproxy.tools.main import process_options

    from everbearer.proxy import internals
    from everbearer.proxy import options as our_options
    from everbearer.proxy.accepting import Doors, by_tcp_alone
    from everbearer.proxy.assemble import assemble
    from everbearer.proxy.issuing import OwnCertificates
    from everbearer.proxy.joined import EverbearerFront
    from everbearer.proxy.worker import Worker, catch_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mitmproxy.master import Master

    from everbearer.broker import Broker
    from everbearer.certificates import Issued
    from everbearer.proxy.addresses import Sockets
    from everbearer.workers.channel import Post

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
        speed.settle()
        self._on_ready(Ready(listening, confdir))


async def run(
    broker: Broker,
    *,
    ui: str,
    arguments: Sequence[str],
    sockets: Sockets,
    on_ready: Callable[[Ready], None],
    authority: Issued | None = None,
    post: Post | None = None,
    control: frozenset[int] = frozenset(),
) -> None:
    """
    Run the proxy until it is told to stop (SIGINT, SIGTERM, or its interface).

    *arguments* are mitmproxy's own; *sockets* listen on the listeners' addresses;
    *authority* issues what clients are shown, mitmproxy's own CA where there is
    none. One of several workers has a *post*: it obeys its parent, and lets what
    is under way end before it does. *control* are ports of our own on loopback that
    no client may reach.
    Raises ConfigError where the two cannot be brought together. However it ends,
    the broker is stopped.
    """
    try:
        with authorities(broker.settings.network.ca_file) as trusted:
            master = _prepare(
                broker, ui, arguments, trusted, authority, control, on_ready
            )
            doors = Doors(sockets)
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(_not_of_cancelled)
            if post is None:
                stop = getattr(master, "prompt_for_exit", master.shutdown)
                loop.add_signal_handler(signal.SIGINT, stop)
                loop.add_signal_handler(signal.SIGTERM, master.shutdown)
            else:
                _alone_with_files(master)
                await catch_up(broker, post)
                Worker(master, broker, post, doors).begin()
            await master.run()
    finally:
        await broker.stop()


def _alone_with_files(master: Master) -> None:
    """Refuse what several processes would write to at once."""
    for name in ("save_stream_file", "hardump"):
        if getattr(master.options, name, None):
            raise ConfigError(
                Problem(
                    "mitmproxy",
                    f"option {name} is set: several workers would write one file",
                    "unset it, or leave --workers out",
                )
            )


def _not_of_cancelled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # The first Python 3.12 takes a connection that is cut at the end for a mistake.
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


def _prepare(
    broker: Broker,
    ui: str,
    arguments: Sequence[str],
    trusted: Mapping[str, str],
    authority: Issued | None,
    control: frozenset[int],
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
    speed.hasten(master)
    if authority is not None:
        tlsconfig = master.addons.get("tlsconfig")
        internals.show_certificates_of(tlsconfig, OwnCertificates(authority))
        tell_outgrown(broker, authority)
    _configure(master, ui, arguments)
    _apply(master, broker, trusted)
    _install(master, broker, control | _control_ports(options, ui), ui)
    master.addons.add(_Announce(master, on_ready))
    problems = our_options.problems(options, broker.rules)
    if problems:
        raise ConfigError(*(Problem("mitmproxy", text) for text in problems))
    master.addons.add(our_options.EverbearerOptions(broker))
    return master


def _make_master(ui: str, options: Options) -> Master:
    # Imported here: the interfaces take time to load, and only one is used.
    if ui == "console":
        with lightly():
            from mitmproxy.tools.console.master import ConsoleMaster  # noqa: PLC0415

        return ConsoleMaster(options)
    if ui == "web":
        with lightly():
            from mitmproxy.tools.web.master import WebMaster  # noqa: PLC0415

        return WebMaster(options, with_termlog=False)
    with lightly():
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


def _apply(master: Master, broker: Broker, trusted: Mapping[str, str]) -> None:
    options = master.options
    if options.mode != ["regular"] or options.listen_host or options.listen_port:
        raise ConfigError(
            Problem(
                "mitmproxy",
                "listeners are set among mitmproxy's arguments or in its config.yaml",
                "set them in [[listeners]], or with --listen",
            )
        )
    modes = our_options.modes(broker.settings)
    by_tcp_alone(modes)
    wanted = our_options.wanted(broker.settings)
    try:
        options.update(mode=modes, **wanted, **trusted)
        internals.set_idle_timeout(options, our_options.IDLE_TIMEOUT)
    except exceptions.OptionsError as error:
        raise ConfigError(Problem("mitmproxy", str(error))) from error


def _control_ports(options: Options, ui: str) -> frozenset[int]:
    if ui == "web" and "web_port" in options:
        return frozenset({options.web_port})
    return frozenset()


_LOOKS: Final = ("client_replay", "hardump", "save_stream_file", "scripts")
"""Options of mitmproxy by which flows are saved, seen by others, or taken up again."""


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
    looked_at = ui != "dump" or any(getattr(options, name) for name in _LOOKS)
    ours = assemble(broker, control_ports, looked_at=looked_at)
    front = EverbearerFront(*ours.front)
    manager.add(front)
    # Before next_layer, which decides what is decrypted; after scripts, which
    # so see no token on its way out.
    chain = manager.chain
    where = chain.index(manager.get("nextlayer"))
    chain.remove(front)
    chain.insert(where, front)
    manager.add(*ours.alone, ours.guard)
