"""Whether tools trust the proxy's CA: each is made to connect."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import ssl
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from everbearer.doctor.aside import aside
from everbearer.doctor.authority import ruled_host, shown
from everbearer.doctor.proxies import another, leads_here
from everbearer.doctor.proxies import shown as url_shown
from everbearer.doctor.result import Level, ok, skip, warn
from everbearer.doctor.through import through
from everbearer.doctor.tools import TOOLS, Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from everbearer.doctor.patient import Patient
    from everbearer.doctor.result import Result
    from everbearer.doctor.tools import Tool
    from everbearer.proxy.leaf import Leaf

_PATIENCE: Final = 20.0
"""Seconds for one tool: java compiles first, on a machine that may be busy."""

_SHOWN: Final = 160
"""Characters of what a tool says that are shown."""

_TRUSTED: Final = "trusted"
_NOT_TRUSTED: Final = "not trusted"


async def trust(patient: Patient, tools: Iterable[Tool] = TOOLS) -> tuple[Result, ...]:
    """Show each tool a certificate of the CA, for a host that a rule names."""
    if proxy := await another(patient):
        return await _of_another(proxy, patient, tools)
    told, host, leaf = await aside(lambda: shown(patient))
    if leaf is None:
        return told
    led = leads_here(patient)
    async with _listening(leaf, host) as target:
        return (*told, *await _all(tools, target, patient, led=led))


async def _of_another(
    proxy: str, patient: Patient, tools: Iterable[Tool]
) -> tuple[Result, ...]:
    """Have the proxy that tools are led to show its own, whatever CA it has."""
    where = f"the everbearer at {url_shown(proxy)}, which tools here are led to"
    if patient.offline:
        return (skip("CA", f"{where}, would reach a server, and --offline was said"),)
    try:
        async with through(proxy, ruled_host(patient.found)) as target:
            told = ok("CA", f"that of {where}")
            return (told, *await _all(tools, target, patient, led=True))
    except OSError as error:
        return (skip("CA", f"{where}, shows none: {error.strerror or 'no answer'}"),)


async def _all(
    tools: Iterable[Tool], target: Target, patient: Patient, *, led: bool
) -> Iterable[Result]:
    """
    Try each; *led* tells that this environment leads them to the proxy.

    Where it does not, and none of them trusts the CA, nothing is set up that could
    be wrong: exec sees to it, and a warning would be there for ever.
    """
    found = await asyncio.gather(*(_tried(tool, target, patient) for tool in tools))
    if led or any(each.detail == _TRUSTED for each in found):
        return found
    return [_by_exec(each) if _NOT_TRUSTED in each.detail else each for each in found]


def _by_exec(result: Result) -> Result:
    if result.level is not Level.WARN:
        return result
    return ok(result.what, f"left as it is, and led to no proxy; {result.fix}")


@asynccontextmanager
async def _listening(leaf: Leaf, host: str) -> AsyncIterator[Target]:
    """Show the certificate on a free port of loopback, and answer nothing much."""
    with tempfile.TemporaryDirectory(prefix="everbearer-doctor-") as name:
        folder = Path(name)
        certificate = folder / "leaf.pem"
        certificate.write_bytes(leaf.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        password = leaf.password.reveal() if leaf.password else None
        context.load_cert_chain(certificate, leaf.key_file, password)
        server = await asyncio.start_server(_answer, "127.0.0.1", 0, ssl=context)
        try:
            port = server.sockets[0].getsockname()[1]
            yield Target(host, port, certificate, folder)
        finally:
            server.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await server.wait_closed()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
    writer.close()


async def _tried(tool: Tool, target: Target, patient: Patient) -> Result:
    what, environ = f"CA for {tool.name}", patient.environ
    program = shutil.which(tool.program, path=environ.get("PATH"))
    if program is None:
        return skip(what, f"{tool.program} is not installed")
    try:
        code, said = await _run((program, *tool.arguments(target)), environ)
    except TimeoutError:
        return warn(what, f"{program} said nothing within {_PATIENCE:.0f} s", tool.fix)
    except OSError as error:
        reason = (error.strerror or "it does not start").lower()
        return skip(what, f"{program}: {reason}")
    return _judged(tool, code, said, own=patient.has_own_ca)


def _judged(tool: Tool, code: int, said: str, *, own: bool) -> Result:
    what = f"CA for {tool.name}"
    if code == 0:
        return ok(what, _TRUSTED)
    if why := tool.cannot(said):
        return skip(what, _cut(why))
    if spared := tool.spared_own if own else tool.spared:
        return ok(what, spared)
    return warn(what, f"{_NOT_TRUSTED}: {_briefly(said)}", tool.fix)


async def _run(command: tuple[str, ...], environ: Mapping[str, str]) -> tuple[int, str]:
    """Run a command with the user's environment; raises TimeoutError, OSError."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            # A version manager's shim has children of its own.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace")


def _briefly(said: str) -> str:
    """Return the line that tells most: the last that is not empty."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = next((line for line in lines if "ertificate" in line), "")
    return _cut(told or (lines[-1] if lines else "no reason given"))


def _cut(text: str) -> str:
    """Return so much of *text* as is shown, in whole words if it has some."""
    if len(text) <= _SHOWN:
        return text
    return f"{text[:_SHOWN].rpartition(' ')[0] or text[:_SHOWN]} …"
