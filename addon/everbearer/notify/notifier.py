"""The subscriber that has a person told, by the program of the configuration."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from everbearer.errors import EverbearerError
from everbearer.events import (
    ClientRedeemed,
    EmergencyCopy,
    GrantEnding,
    RenewalFailed,
    Renewed,
    SaveFailed,
)
from everbearer.notify.command import Run, Runner, environment
from everbearer.notify.needs import REAUTHORIZE, Needs
from everbearer.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from everbearer.broker import Broker
    from everbearer.events import Event
    from everbearer.notify.needs import Need

LOOK_EVERY: Final = 10.0
"""Seconds between two looks at what other processes have met."""

_WATCHED: Final = frozenset(
    {
        ClientRedeemed,
        EmergencyCopy,
        GrantEnding,
        RenewalFailed,
        Renewed,
        SaveFailed,
    }
)


def keep_notifying(
    broker: Broker, tell: Callable[[str], None], *, here: bool = True
) -> Notifier:
    """
    Have a person told from now on of what *broker*'s profiles need.

    *tell* says where that does not work. Of several processes of one proxy one is
    enough: it looks into the store for what the others have met; in those that are
    not *here* nothing is done.
    """
    notifier = Notifier(broker, Runner(tell), os.environ, here=here)
    if here:
        broker.subscribe(notifier)
    return notifier


class Notifier:
    """Starts `notify.command` of the configuration in force; a subscriber of events."""

    def __init__(
        self, broker: Broker, runner: Runner, environ: Mapping[str, str], *, here: bool
    ) -> None:
        self._here = here
        self._broker = broker
        self._runner = runner
        self._environ = environ
        self._needs = Needs()
        self._tasks = Tasks()

    def begin(self) -> None:
        """Look at the profiles from now on, in the loop that runs now."""
        if self._here:
            self._tasks.spawn(self.watch(), name="look who needs a person")

    def __call__(self, event: Event) -> None:
        """Have a person told, if *event* begins what needs one."""
        if type(event) in _WATCHED and self._broker.settings.notify.command:
            need = self._needs.hear(event)
            if need is not None:
                self._start(need)

    async def watch(self) -> None:
        """Look again and again; never returns."""
        while True:
            await self.look()
            await self._broker.clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Take in what the store says of every profile."""
        if not self._broker.settings.notify.command:
            return
        # A store that fails is told by whoever needs it. One that is closed, since
        # everbearer stops, has no threads any more.
        with suppress(EverbearerError, RuntimeError):
            at = self._broker.clock.wall()
            for status in await self._broker.status():
                for need in self._needs.see(status, at):
                    self._start(need)

    def _start(self, need: Need) -> None:
        settings, standing = self._broker.settings, self._broker.standing
        secrets, source = settings.variables, settings.source
        profile = settings.profiles.get(need.profile)
        hint = need.hint
        if need.state == REAUTHORIZE and profile is not None and profile.grant:
            # What is stored has no hint; the event's is the same.
            hint = profile.grant.reauthorize_hint(need.profile, need.message)
        need = replace(need, hint=standing.in_full(hint))
        told = environment(self._environ, secrets, need, source)
        run = Run(settings.notify.command, source.parent, told)
        self._runner.start(need.profile, run, asyncio.get_running_loop())
