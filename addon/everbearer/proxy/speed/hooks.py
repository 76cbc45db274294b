"""
An addon manager that remembers who hears what.

mitmproxy asks every addon, nested ones included, for every event anew. Most have no
such hook, and asking costs half of a proxy's time. Here an addon is passed over
where an earlier look found that it has none; whoever is not passed over is called
by mitmproxy's own code, one after the other, looked at when its turn comes.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, override

from mitmproxy import exceptions, flow, hooks
from mitmproxy.addonmanager import AddonManager, safecall

from everbearer.proxy.speed.idle import idles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Generator, Iterator

    type Steps = Generator[Awaitable[object], None, None]
    """What is waited for, one after the other."""

_KNOWN_PACKAGES: Final = {"mitmproxy", "everbearer"}
"""Whose addons never give themselves a hook later; a test reads their code."""


class HookIndex(AddonManager):
    """
    mitmproxy's manager, and its behaviour, without asking those who hear nothing.

    Passed over is only an addon of mitmproxy's or ours that had neither a hook of
    that name nor addons of its own, or that idles when its turn comes. The chain
    is compared with the one that was looked at before every event and after every
    hook, so it may be edited in place. A first hook that others put on such an
    addon is heard from the next time on that addons or options change; one in
    another's place is heard at once, and so is whatever a script does to itself.
    """

    _known: dict[str, tuple[list[object], list[int]]]

    @classmethod
    def of(cls, manager: AddonManager) -> HookIndex:
        """Make *manager* one of these, for all who hold it."""
        vars(manager)["_known"] = {}
        manager.__class__ = cls
        assert isinstance(manager, cls)
        return manager

    @override
    def register(self, addon: Any) -> Any:
        try:
            return super().register(addon)  # type: ignore[no-untyped-call]
        finally:  # its `load` has run
            self._known.clear()

    @override
    def trigger(self, event: hooks.Hook) -> None:
        try:
            super().trigger(event)
        finally:
            if isinstance(event, hooks.ConfigureHook):  # addons may have made hooks
                self._known.clear()

    @override
    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        rest = self.begin(event)
        if rest is not None:
            await rest

    @override
    async def trigger_event(self, event: hooks.Hook) -> None:
        rest = _begun(self._event(event))
        if rest is not None:
            await rest

    def begin(self, event: hooks.Hook) -> Coroutine[Any, Any, None] | None:
        """Do what `handle_lifecycle` does until somebody waits; return the rest."""
        return _begun(self._lifecycle(event))

    def is_familiar(self, name: str) -> bool:
        """Tell whether only mitmproxy's addons and ours may hear *name* now."""
        return all(
            _is_known(addon) and not getattr(addon, "addons", None)
            for addon in map(self.chain.__getitem__, self._hearing(name)[1])
        )

    def _lifecycle(self, event: hooks.Hook) -> Steps:
        message = event.args()[0]
        yield from self._event(event)
        if isinstance(message, flow.Flow) and self._hearing("update")[1]:
            yield from self._event(hooks.UpdateHook([message]))

    def _event(self, event: hooks.Hook) -> Steps:
        for addon in self._turns(event.name):
            try:
                yield from invoke_addon(self._iter_hooks(addon, event), event)
            except exceptions.AddonHalt:
                return
            except Exception:
                with safecall():  # judges it, and logs it
                    raise

    def _turns(self, name: str) -> Iterator[object]:
        """Give those who may hear *name*, in the order of a loop over the chain."""
        chain = self.chain
        looked_at, hearing = self._hearing(name)
        for at in hearing:
            if idles(chain[at], name):
                continue
            yield chain[at]
            if chain != looked_at:  # edited by the hook, or while it was awaited
                following = at + 1
                while following < len(chain):
                    yield chain[following]
                    following += 1
                return

    def _hearing(self, name: str) -> tuple[list[object], list[int]]:
        """Return the chain that was looked at, and where in it somebody may hear."""
        known = self._known.get(name)
        if known is None or known[0] != self.chain:
            chain = list(self.chain)
            hearing = [at for at, one in enumerate(chain) if _may_hear(one, name)]
            self._known[name] = known = chain, hearing
        return known

    @override
    def _iter_hooks(self, addon: Any, event: hooks.Hook) -> Iterator[Any]:
        """Give what mitmproxy's gives, with less ado for an addon without others."""
        hook = None if hasattr(addon, "addons") else getattr(addon, event.name, None)
        if callable(hook):
            return self._alone(addon, hook, event)
        every: Iterator[Any] = super()._iter_hooks(addon, event)
        return every

    def _alone(self, addon: Any, hook: Any, event: hooks.Hook) -> Iterator[Any]:
        yield addon, hook
        if hasattr(addon, "addons"):  # since it was called
            for nested in addon.addons:
                yield from super()._iter_hooks(nested, event)


def _may_hear(addon: object, name: str) -> bool:
    return not _is_known(addon) or hasattr(addon, "addons") or hasattr(addon, name)


def _is_known(addon: object) -> bool:
    return type(addon).__module__.partition(".")[0] in _KNOWN_PACKAGES


def invoke_addon(found: Iterator[Any], event: hooks.Hook) -> Steps:
    """Call the hooks; mitmproxy tells errors without what is above this name."""
    for _, hook in found:
        result = hook(*event.args())
        if result is not None and inspect.isawaitable(result):
            yield result


def _begun(steps: Steps) -> Coroutine[Any, Any, None] | None:
    for first in steps:
        return _go_on(steps, first)
    return None


async def _go_on(steps: Steps, waited_for: Awaitable[object]) -> None:
    while True:
        try:
            try:
                await waited_for
            except BaseException as error:
                trail = error.__traceback__
                error.__traceback__ = trail and trail.tb_next  # not of this function
                waited_for = steps.throw(error)
            else:
                waited_for = next(steps)
        except StopIteration:
            return
