"""Whether the proxy can listen where it should, or does already."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.doctor.result import failed, ok
from everbearer.errors import ConfigError
from everbearer.policy.hosts import NOWHERE
from everbearer.proxy.addresses import taken

if TYPE_CHECKING:
    from everbearer.doctor.patient import Patient
    from everbearer.doctor.result import Result
    from everbearer.settings.model import Address

_PATIENCE: Final = 3.0
_READ: Final = 64 * 1024

# A name that no rule has: the explicit proxy and a reverse listener both refuse
# it, each by an answer that says whose it is (RFC 9209).
_QUESTION: Final = (
    f"GET / HTTP/1.1\r\nHost: {NOWHERE}\r\nConnection: close\r\n\r\n".encode()
)
_OURS: Final = b"proxy-status: everbearer"


async def ports(patient: Patient) -> tuple[Result, ...]:
    """Bind every listener's address for a moment; ask who has it, if taken."""
    results: list[Result] = []
    problems = taken(patient.settings.listeners)
    for listener in patient.settings.listeners:
        what = f"port {listener.address}"
        if listener not in problems:
            results.append(ok(what, "free"))
        elif await is_everbearer(listener.address):
            results.append(ok(what, "an everbearer serves there already"))
        else:
            problem = problems[listener]
            who = f"lsof -nP -iTCP:{listener.address.port} -sTCP:LISTEN"
            fix = f"to see what it is, run: {who}; {problem.fix}"
            results += failed(what, ConfigError(replace(problem, fix=fix)))
    return tuple(results)


async def is_everbearer(address: Address) -> bool:
    """Tell whether an everbearer serves there, by asking what none lets out."""
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            try:
                writer.write(_QUESTION)
                answer = b""
                while b"\r\n\r\n" not in answer and len(answer) < _READ:
                    more = await reader.read(_READ)
                    if not more:
                        break
                    answer += more
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return False
    return _OURS in answer.lower()
