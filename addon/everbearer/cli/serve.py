"""`everbearer serve`: the proxy."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final, override

import click

from everbearer.broker import Broker
from everbearer.cli import logs, real_box, voice
from everbearer.cli.banner import banner
from everbearer.cli.configuration import file_option, read
from everbearer.cli.event_lines import line_of
from everbearer.cli.listening import check_free, parse, with_listen
from everbearer.settings.problems import Mistake, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from everbearer.events import Event
    from everbearer.settings.model import Address, Settings

_OURS: Final = {"web": ("--set", "termlog_verbosity=error")}
"""Arguments by interface: mitmweb would tell every connection on standard output."""


def _listen(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> Address | None:
    if text is None:
        return None
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
@click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors.")
@click.option("-v", "--verbose", count=True, help="More; -vv everything.")
@click.argument(
    "mitmproxy_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- MITMPROXY ARGS...]"
)
def command(
    config: Path | None,
    listen: Address | None,
    ui: str,
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
    # mitmproxy takes its time to load, which --help need not wait for.
    from everbearer.proxy import launcher  # noqa: PLC0415 - see above
    from everbearer.proxy.options import modes  # noqa: PLC0415 - same

    logs.configure(0 if quiet else verbose, ui)

    def load() -> Settings:
        return with_listen(read(config), listen)

    settings = load()
    for warning in settings.warnings:
        voice.warn(warning)
    check_free(settings)
    broker = Broker(settings, load)
    if ui != "console":  # which has the terminal for itself
        broker.subscribe(_teller(logging.WARNING if quiet else logging.INFO))

    def on_ready(ready: launcher.Ready) -> None:
        if ui == "console":
            return
        if not quiet:
            for line in banner(settings, Path(ready.confdir).absolute()):
                voice.say(line)
        if elsewhere := real_box.warning(settings):
            voice.warn(elsewhere)

    asyncio.run(
        launcher.run(
            broker,
            ui=ui,
            arguments=(*_OURS.get(ui, ()), *mitmproxy_args),
            listeners=modes(settings),
            on_ready=on_ready,
        )
    )


def _teller(level: int) -> Callable[[Event], None]:
    """Return a subscriber that tells what is at least so important."""

    def tell(event: Event) -> None:
        line = line_of(event)
        if line.level < level:
            return
        voice.say(line.text, line.colour)
        voice.hint(line.hint)

    return tell
