"""`python -m everbearer.sandbox`: the sandbox alone, for tests."""

import argparse
import asyncio
import resource
import signal
import sys
from pathlib import Path

from everbearer.sandbox.folder import SandboxError
from everbearer.sandbox.server import Sandbox, SandboxOptions


def main() -> int:
    """Run until SIGINT or SIGTERM; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m everbearer.sandbox")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--token-life", type=float, default=3600.0)
    given = parser.parse_args()
    options = SandboxOptions(
        state=given.state,
        port=given.port,
        strict=given.strict,
        token_life=given.token_life,
    )
    # Thousands of connections at once are part of what is tested.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        asyncio.run(_serve(options))
    except (SandboxError, OSError) as error:
        sys.stderr.write(f"the sandbox cannot start: {error}\n")
        return 1
    return 0


async def _serve(options: SandboxOptions) -> None:
    sandbox = Sandbox(options)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stopped.set)
    await sandbox.start()
    sys.stdout.write(
        f"sandbox ready on 127.0.0.1:{sandbox.port}, state in {options.state}\n"
    )
    sys.stdout.flush()
    try:
        await stopped.wait()
    finally:
        await sandbox.stop()


if __name__ == "__main__":
    sys.exit(main())
