"""The configuration on disk: read anew, watched, and compared with what runs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from everbearer.errors import ConfigError, Problem
from everbearer.settings.changes import needs_restart, stamps
from everbearer.settings.model import Standing
from everbearer.settings.problems import unknown_profile
from everbearer.settings.rules import rule_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from everbearer.policy.rules import RuleSet
    from everbearer.settings.model import Settings


class Load(Protocol):
    """Reads the configuration anew; raises ConfigError with every problem."""

    def __call__(self) -> Settings:
        """Return the configuration as it is on disk now."""


class Source:
    """
    Where a running configuration came from.

    `problems` tells why what is on disk is not what is in force; empty if it is.
    """

    def __init__(self, settings: Settings, load: Load) -> None:
        self._load = load
        self._at_start = settings
        self._seen = stamps(settings.watched)
        self.problems: tuple[str, ...] = ()
        self._chosen = ""

    async def read(self) -> Settings:
        """
        Read it in a thread.

        Raises ConfigError, for a failure that nobody expected as well: whatever
        it is, the configuration in force stays. It stays whole where `connect_to`
        leads elsewhere than when the process began: connections that are kept
        lead to the old place, and what is obtained at the new is not for it.
        """
        await self.has_changed()  # what changes from here on is seen the next time
        try:
            settings = await _in_thread(self._load)
        except ConfigError:
            raise
        except Exception as error:
            kind = type(error).__name__
            raise ConfigError(
                Problem("", f"reading the configuration failed ({kind})", "try again")
            ) from error
        if settings.network.connect_to != self._at_start.network.connect_to:
            raise ConfigError(
                Problem(
                    "network.connect_to",
                    "leads elsewhere than when the proxy was started",
                    "restart the proxy",
                )
            )
        return settings

    def accept(self, settings: Settings) -> tuple[str, ...]:
        """Note what is in force now; return the keys that still take a restart."""
        self.problems = ()
        if self._chosen not in settings.profiles:
            self._chosen = ""
        self._watch(settings.watched)
        # With what the process began with: an earlier reload changed none of it.
        return needs_restart(self._at_start, settings)

    def standing(self, in_force: Settings) -> Standing:
        """Return where it is, and why what is there is not in force."""
        return Standing(in_force.source, self.problems)

    def choose(self, profile: str, in_force: Settings) -> None:
        """Let *profile* be the default, whatever the file says; else ConfigError."""
        if profile not in in_force.profiles:
            raise unknown_profile(profile, in_force.profiles)
        self._chosen = profile

    def rules(self, settings: Settings) -> RuleSet:
        """Return what is decided by, with the default that a person chose."""
        rules = rule_set(settings)
        if self._chosen not in settings.profiles:
            return rules
        return replace(rules, default_profile=self._chosen)

    def reject(self, error: ConfigError, in_force: Settings) -> None:
        """Note why what is on disk cannot be used."""
        self.problems = tuple(map(str, error.problems))
        self._watch(in_force.watched | error.files)

    async def has_changed(self) -> bool:
        """Tell whether a file has changed since the last time this was asked."""
        before = self._seen
        now = await _in_thread(lambda: stamps(before))
        if self._seen is before:
            self._seen = now
        return now != before

    def _watch(self, files: Iterable[Path]) -> None:
        # Those known keep the stamp from before they were read: what changed
        # meanwhile is seen the next time.
        self._seen = {**stamps(files), **self._seen}
        self._seen = {path: self._seen[path] for path in files}


async def _in_thread[T](work: Callable[[], T]) -> T:
    """
    Run *work* in a thread that nobody waits for when the process ends.

    A program that is asked for a secret, or a keyring that a person has to
    unlock, may take minutes.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - handed over
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=run, name="read the configuration", daemon=True).start()
    return await done
