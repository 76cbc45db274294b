"""Every check, in the order in which they are made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.doctor.configuration import configuration
from everbearer.doctor.files import files
from everbearer.doctor.ports import ports
from everbearer.doctor.proxies import proxies
from everbearer.doctor.result import Level, Result, failed, skip
from everbearer.doctor.server import servers
from everbearer.doctor.store import keyring, store
from everbearer.doctor.token import tokens
from everbearer.doctor.trust import trust
from everbearer.doctor.versions import versions
from everbearer.errors import EverbearerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from everbearer.doctor.patient import Patient

_UNSOUND: Final = "mend the configuration first"
_OFFLINE: Final = "asks a server, and --offline was said"


@dataclass(frozen=True, slots=True)
class Check:
    """
    One check: what it looks at, how, and for how many seconds at most.

    `sound`: it needs a configuration without mistakes; `asks`: it asks servers.
    """

    name: str
    look: Callable[[Patient], Awaitable[tuple[Result, ...]]]
    patience: float = 20.0
    sound: bool = True
    asks: bool = False


CHECKS: Final = (
    # Programs and keyrings that are asked for secrets may wait for a person.
    Check("configuration", configuration, patience=90, sound=False),
    Check("file modes", files),
    Check("keyring", keyring, patience=60),
    Check("store", store, patience=60),
    Check("server", servers, patience=40, asks=True),
    # A token is waited for as long as by any request, and then saved.
    Check("token", tokens, patience=75, asks=True),
    Check("port", ports),
    Check("proxy variables", proxies),
    Check("mitmproxy", versions, sound=False),
    Check("CA", trust, patience=60, sound=False),
)


async def examine(
    patient: Patient,
    checks: Iterable[Check] = CHECKS,
    on_start: Callable[[Check], None] = lambda _: None,
) -> AsyncIterator[tuple[Check, Result]]:
    """Make each check and yield what it says; nothing that goes wrong ends it."""
    for check in checks:
        on_start(check)
        for result in await _looked(check, patient):
            yield check, result


async def _looked(check: Check, patient: Patient) -> tuple[Result, ...]:
    if check.sound and patient.found is None:
        return (skip(check.name, _UNSOUND),)
    if check.asks and patient.offline:
        return (skip(check.name, _OFFLINE),)
    try:
        async with asyncio.timeout(check.patience):
            return await check.look(patient)
    except EverbearerError as error:
        return failed(check.name, error)
    except TimeoutError:
        text = f"not done within {check.patience:.0f} s"
    except Exception as error:  # noqa: BLE001 - the other checks are made all the same
        # The text of an unknown error may hold anything.
        text = f"the check itself failed: {type(error).__name__}"
    code = EverbearerError.exit_code
    return (Result(Level.FAIL, check.name, text, "", code),)
