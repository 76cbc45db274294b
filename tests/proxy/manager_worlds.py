"""The same addons under two managers, and what each of them notes of it."""

from __future__ import annotations

import asyncio
import functools
import logging
import types
from typing import Any

from mitmproxy import command, exceptions
from mitmproxy.addonmanager import AddonManager
from mitmproxy.options import Options

FAULTS = {
    "raise": functools.partial(RuntimeError, "broken"),
    "halt": exceptions.AddonHalt,
    "options": functools.partial(exceptions.OptionsError, "no such thing"),
    "cancel": asyncio.CancelledError,
}
EDITS = ("append", "insert", "remove", "pop", "replace", "nest", "clear")
"""What a hook may do to the chain while an event goes through it."""

ACTIONS = (
    "note",
    "tick",
    "async raise",
    "async halt",
    "number",
    "module",
    *FAULTS,
    *EDITS,
)


class World:
    """One manager, its addons by name, and everything that can be seen of it."""

    def __init__(self, kind: type[AddonManager]) -> None:
        self.trace: list[object] = []
        self.made: dict[str, Any] = {}
        master: Any = types.SimpleNamespace(options=Options())
        master.commands = command.CommandManager(master)
        self.options = master.options
        self.manager: Any = AddonManager(master)
        if kind is not AddonManager:
            self.manager = kind.of(self.manager)

    def make(
        self, name: str, package: str, spec: dict[str, str], *, nests: bool = False
    ) -> Any:
        """Make an addon that does what *spec* says, by event."""
        methods = {event: self._hook(event, action) for event, action in spec.items()}
        kind = type("Told", (), {"__module__": f"{package}.toy", **methods})
        addon: Any = kind()
        addon.name = name
        if nests:
            addon.addons = []
        self.made[name] = addon
        return addon

    def _hook(self, event: str, action: str) -> Any:
        if action == "number":
            return 7  # is not callable
        if action == "module":
            return logging

        def note(addon: Any) -> None:
            self.trace.append((event, addon.name))

        if action.startswith(("async", "tick")):

            async def later(addon: Any, *_: object) -> None:
                note(addon)
                await asyncio.sleep(0)
                self.trace.append("later")
                self._fail(action.removeprefix("async "))

            return later

        def now(addon: Any, *_: object) -> None:
            note(addon)
            if action in EDITS:
                self.edit(addon, action, event)
            else:
                self._fail(action)

        return now

    def _fail(self, action: str) -> None:
        if action in FAULTS:
            fault: BaseException = FAULTS[action]()
            raise fault

    def edit(self, addon: Any, how: str, event: str) -> None:
        """Change the chain, or what is nested, as hooks do."""
        if len(self.made) > 30:  # an insertion is met again by its own loop
            return
        chain = self.manager.chain
        fresh = self.make(f"n{len(self.made)}", "mitmproxy", {event: "note"})
        if how == "append":
            self.manager.add(fresh)
        elif how == "insert":
            chain[0:0] = [fresh]
        elif how == "remove" and addon.name in self.manager.lookup:
            self.manager.remove(addon)
        elif how == "pop" and chain:
            chain.pop()
        elif how == "replace" and chain:
            chain[-1] = fresh
        elif how == "nest":
            addon.addons = [*getattr(addon, "addons", ()), fresh]
        elif how == "clear":
            self.manager.chain = [fresh]

    def do(self, work: Any) -> None:
        """Do *work*, a coroutine too; what comes of it is part of the trace."""
        handler = _Heard(self.trace)
        logger = logging.getLogger("mitmproxy.addonmanager")
        logger.addHandler(handler)
        logger.propagate = False
        try:
            result = work()
            if asyncio.iscoroutine(result):
                while True:  # a loop of its own would take most of the time
                    result.send(None)
        except StopIteration:
            pass
        except BaseException as error:  # noqa: BLE001 - it is compared
            self.trace.append(("raised", type(error).__name__, str(error)))
        finally:
            logger.propagate = True
            logger.removeHandler(handler)

    def seen(self) -> object:
        """Return all that another manager must agree in, since the last time."""
        chain = [one.name for one in self.manager.chain]
        trace, self.trace[:] = list(self.trace), ()
        return trace, chain, sorted(self.manager.lookup)


class _Heard(logging.Handler):
    """Keeps messages, and by which functions the errors that they tell of came."""

    def __init__(self, trace: list[object]) -> None:
        super().__init__()
        self._trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        frames = []
        trail = record.exc_info[2] if record.exc_info else None
        while trail is not None:
            frames.append(trail.tb_frame.f_code.co_name)
            trail = trail.tb_next
        # Functions are told with their addresses.
        self._trace.append((record.levelname, record.getMessage().split(" at 0x")[0]))
        self._trace.append(frames)
