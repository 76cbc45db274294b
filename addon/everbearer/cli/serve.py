"""`everbearer serve`: the proxy."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, override

import click

from everbearer.cli import voice
from everbearer.cli.configuration import file_option, read
from everbearer.collector import resting
from everbearer.settings.problems import Mistake, nearest

if TYPE_CHECKING:
    from everbearer.settings.model import Address, Settings

_OURS: Final = {"web": ("--set", "termlog_verbosity=error")}
"""Arguments by interface: mitmweb would tell every connection on standard output."""


def _listen(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> Address | None:
    if text is None:
        return None
    from everbearer.cli.listening import parse

    try:
        return parse(text)
    except Mistake as mistake:
        message = f"{mistake.message}; {mistake.fix}" if mistake.fix else str(mistake)
        raise click.BadParameter(message, context, parameter) from None


class _BeforeMitmproxys(click.Command):
    """Tells who wrote mitmproxy's options among ours where they belong."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        behind = len(args) - args.index("--") - 1 if "--" in args else 0
        try:
            left = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name
            ours = (o.lstrip("-") for each in self.params for o in each.opts)
            meant = nearest(name.lstrip("-"), ours)
            raise click.UsageError(
                f"no such option: {name}, did you mean --{meant}?"
                if meant
                else f"no such option: {name}; if it is mitmproxy's, it follows --:"
                f" everbearer serve -- {name}",
                ctx,
            ) from error
        given = ctx.params["mitmproxy_args"]
        if len(given) > behind:
            raise click.UsageError(
                f"unexpected argument {given[0]!r}: a configuration is named by -c, "
                "and what is for mitmproxy follows --",
                ctx,
            )
        return left


@click.command(
    cls=_BeforeMitmproxys, epilog="\b\nExample:\n  everbearer serve -c box/all.toml"
)
@file_option
@click.option(
    "--listen",
    metavar="ADDR",
    callback=_listen,
    help="The explicit proxy's address, port 0 for a free one; other listeners stay.",
)
@click.option(
    "--ui",
    type=click.Choice(["dump", "console", "web"]),
    default="dump",
    help="One of mitmproxy's interfaces: lines (the default), console, web.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 64),
    default=1,
    help="Processes that share the listeners and the store; for several CPUs.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors.")
@click.option("-v", "--verbose", count=True, help="More; -vv everything.")
@click.argument(
    "mitmproxy_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- MITMPROXY ARGS...]"
)
def command(
    config: Path | None,
    listen: Address | None,
    ui: str,
    workers: int,
    verbose: int,
    mitmproxy_args: tuple[str, ...],
    *,
    quiet: bool,
) -> None:
    """
    Run the proxy until Ctrl-C.

    Every matched request is told in one line: time, method, host and path,
    status, profile, reason, duration. SIGHUP, or a change of the configuration,
    reloads it. What follows -- is for mitmproxy.
    """
    # All this takes its time to load, which --help need not wait for.
    with resting():
        import asyncio
        import logging

        from everbearer.audit.log import keep_log
        from everbearer.broker import Broker
        from everbearer.cli import logs
        from everbearer.cli.authority import own_authority, warn_of_doubts
        from everbearer.cli.event_lines import teller
        from everbearer.cli.listening import hold, with_listen
        from everbearer.cli.served import Served, default_folder
        from everbearer.cli.watched import Watched, greet
        from everbearer.cli.workers import for_worker, refuse_workers, start
        from everbearer.notify.notifier import keep_notifying
        from everbearer.proxy import launcher

    logs.configure(0 if quiet else verbose, ui)

    def load() -> Settings:
        return with_listen(read(config), listen)

    settings = load()
    for warning in settings.warnings:
        voice.warn(warning)
    refuse_workers(workers, settings, ui)

    def on_ready(ready: launcher.Ready) -> None:
        mitmproxys = Path(ready.confdir).absolute() / "mitmproxy-ca-cert.pem"
        watched.authority = own.path if own else mitmproxys
        notifier.begin()
        if ui == "console" or (post and not post.first):
            return
        greet(broker.settings, watched, quiet=quiet)

    with ExitStack() as stack:
        held = stack.enter_context(hold(settings))
        own = own_authority(settings)
        warn_of_doubts(settings)
        watched = stack.enter_context(Watched(settings, workers))
        folder = default_folder()
        counts = [
            stack.enter_context(Served(settings.source, folder)) for _ in range(workers)
        ]
        listening = (*held.sockets.values(), *watched.sockets)
        post = start(workers, listening, quiet=quiet)
        if post is not None:
            stack.pop_all()  # the parent ends what it has begun
        broker = Broker(held.filled_in(settings), lambda: held.filled_in(load()))
        if ui != "console":  # which has the terminal for itself
            tell = teller(logging.WARNING if quiet else logging.INFO)
            broker.subscribe(for_worker(tell, post))
        stack.enter_context(keep_log(broker, voice.warn, must=True))
        speaks = post is None or post.number == 1
        notifier = keep_notifying(broker, voice.warn, here=speaks)
        broker.subscribe(counts[post.number - 1 if post else 0])

        async def run() -> None:
            async with watched.watching(broker, post):
                await launcher.run(
                    broker,
                    ui=ui,
                    arguments=(*_OURS.get(ui, ()), *mitmproxy_args),
                    sockets=held.sockets,
                    on_ready=on_ready,
                    authority=own.issued if own else None,
                    post=post,
                    control=watched.ports,
                )

        asyncio.run(run())
