"""`everbearer sandbox`: a local Box."""

from __future__ import annotations

import resource
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from everbearer.cli import voice
from everbearer.errors import EverbearerError, reason_of
from everbearer.settings.real_box import EXAMPLE

if TYPE_CHECKING:
    from everbearer.sandbox.server import Sandbox, SandboxOptions

PORT: Final = 9443


@click.command(epilog="\b\nExample:\n  everbearer sandbox --state box")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="0 for a free one.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where it keeps its files; by default in the user's state folder.",
)
@click.option("--strict", is_flag=True, help="Reuse of a refresh token revokes all.")
@click.option(
    "--token-life",
    type=click.FloatRange(0, min_open=True),
    default=3600.0,
    metavar="SECONDS",
    help="How long an access token lives.",
)
def command(port: int, state: Path | None, token_life: float, *, strict: bool) -> None:
    """
    Run a local Box that keeps Box's rules, until Ctrl-C.

    It listens on this machine only, has a CA of its own, and writes ready
    configurations for every grant into its folder. NOT THE REAL BOX.
    """
    import asyncio

    from everbearer.sandbox.folder import SandboxError
    from everbearer.sandbox.server import SandboxOptions

    folder = (state or _default_state()).absolute()
    options = SandboxOptions(
        state=folder, port=port, strict=strict, token_life=token_life
    )
    _allow_many_connections()
    try:
        asyncio.run(_serve(options))
    except SandboxError as error:
        raise EverbearerError(
            f"the sandbox cannot start: {error}", hint=_FREE
        ) from None
    except OSError as error:
        raise EverbearerError(
            f"the sandbox cannot start: {reason_of(error)}"
            f" (127.0.0.1:{port}, {folder})",
            hint="choose another --port (0 for a free one) or another --state",
        ) from None


_FREE: Final = "each sandbox has a folder of its own: everbearer sandbox --state DIR"


def _default_state() -> Path:
    import platformdirs

    folder = platformdirs.user_state_path("everbearer")
    # A configuration below a folder that others can write would be refused.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / "sandbox"


def _allow_many_connections() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(options: SandboxOptions) -> None:
    import asyncio

    from everbearer.sandbox.server import Sandbox

    sandbox = Sandbox(options)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await sandbox.start()
    try:
        _announce(sandbox, options.state)
        await stopped.wait()
    finally:
        await sandbox.stop()


def _announce(sandbox: Sandbox, state: Path) -> None:
    everything = shlex.quote(str(state / "all.toml"))
    authority = shlex.quote(str(state / "ca.pem"))
    voice.say(f"the sandbox listens on 127.0.0.1:{sandbox.port}, NOT THE REAL BOX")
    voice.say(f"its files are in {state}, its control API is {sandbox.control_url}")
    voice.say(f"try: everbearer serve -c {everything}")
    voice.say(
        f"try: curl --connect-to api.box.com:443:127.0.0.1:{sandbox.port} "
        f'--cacert {authority} -H "Authorization: Bearer '
        f'$(everbearer token -c {everything})" {EXAMPLE}'
    )
