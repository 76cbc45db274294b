"""Whether the configuration is sound, and the files of secrets that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.audit.log import check_log
from everbearer.broker import Broker
from everbearer.doctor.aside import aside
from everbearer.doctor.result import failed, ok, warn
from everbearer.errors import ConfigError
from everbearer.settings.load import load
from everbearer.stores.memory import MemoryStore

if TYPE_CHECKING:
    from everbearer.doctor.patient import Patient
    from everbearer.doctor.result import Result
    from everbearer.settings.model import Settings


async def configuration(patient: Patient) -> tuple[Result, ...]:
    """Read it, with every secret that it names; the first that others need."""

    def read() -> Settings:
        settings = load(patient.config, patient.environ)
        # Whatever a start would find, apart from the store itself.
        Broker(settings, lambda: settings, store=MemoryStore())
        check_log(settings.audit)
        return settings

    try:
        settings = await aside(read)
    except ConfigError as error:
        return failed("configuration", error)
    patient.found = settings
    names = ", ".join(settings.profiles) or "none"
    return (
        ok("configuration", f"{settings.source}, profiles: {names}"),
        *(warn("configuration", text) for text in settings.warnings),
    )
