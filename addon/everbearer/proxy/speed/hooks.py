"""
An addon manager that remembers who hears what.

mitmproxy asks every addon, nested ones included, for every event anew. Most have no
such hook, and asking costs half of a proxy's time. Here an addon is passed over
where an earlier look found that it has none; whoever is not passed over is called
by mitmproxy's own code, one after the other, looked at when its turn comes.
"""

from __future__ import annotations

import inspect
import itertools
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, override

from mitmproxy import exceptions, flow, hooks
from mitmproxy.addonmanager import AddonManager, safecall

from everbearer.proxy.speed.idle import idles, work_of
from everbearer.proxy.waiting import begin

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence

    from everbearer.proxy.speed.idle import Work
    from everbearer.proxy.waiting import Waits

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

    _known: dict[str, _Heard]

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
        rest = begin(self._event(event, event.args()))
        if rest is not None:
            await rest

    def begin(self, event: hooks.Hook) -> Coroutine[Any, Any, None] | None:
        """Do what `handle_lifecycle` does until somebody waits; return the rest."""
        return begin(self._lifecycle(event))

    def is_familiar(self, name: str) -> bool:
        """Tell whether only mitmproxy's addons and ours may hear *name* now."""
        heard = self._hearing(name)
        return all(
            _is_known(addon) and not getattr(addon, "addons", None)
            for addon in map(self.chain.__getitem__, heard.doubtful)
        )

    def _lifecycle(self, event: hooks.Hook) -> Waits[None]:
        args = event.args()
        yield from self._event(event, args)
        if isinstance(args[0], flow.Flow) and self._is_heard("update"):
            flows = [args[0]]
            yield from self._event(hooks.UpdateHook(flows), [flows])

    def _event(self, event: hooks.Hook, args: list[Any]) -> Waits[None]:
        """Call those who may hear *event*, in the order of a loop over the chain."""
        name, chain = event.name, self.chain
        heard = self._hearing(name)
        places = iter(heard.places)
        at = next(places, None)
        while at is not None:
            addon, work = chain[at], heard.work.get(at)
            if (
                work is None
                or work.asked(addon)
                or name in vars(addon)
                or getattr(type(addon), name, None) is not work.hook
            ):
                try:
                    hook = getattr(addon, name, None)
                    is_alone = callable(hook) and not hasattr(addon, "addons")
                    if is_alone:
                        yield from invoke_addon(((addon, hook),), args)
                    if not is_alone or hasattr(addon, "addons"):  # since it was called
                        others = self._others(addon, event, called=is_alone)
                        yield from invoke_addon(others, args)
                except exceptions.AddonHalt:
                    return
                except Exception:
                    with safecall():  # judges it, and logs it
                        raise
                if chain != heard.chain:  # edited by the hook, or while it was awaited
                    places, heard = _following(chain, at), _Heard(heard.chain)
            at = next(places, None)

    def _others(self, addon: Any, event: hooks.Hook, *, called: bool) -> Iterator[Any]:
        """Give the hooks of *addon* and those nested in it, its own unless *called*."""
        every = addon.addons if called else (addon,)
        return itertools.chain.from_iterable(
            self._iter_hooks(each, event) for each in every
        )

    def _is_heard(self, name: str) -> bool:
        places = self._hearing(name).places
        return any(not idles(self.chain[at], name) for at in places)

    def _hearing(self, name: str) -> _Heard:
        """Return who may hear, looked up anew where the chain is another."""
        heard = self._known.get(name)
        if heard is None or heard.chain != self.chain:
            self._known[name] = heard = _Heard.of(self.chain, name)
        return heard


class _Heard(NamedTuple):
    """The chain that was looked at, and where in it somebody may hear."""

    chain: list[object]
    places: Sequence[int] = ()
    doubtful: Sequence[int] = ()
    """Those of them who are others', or may have others with them."""
    work: Mapping[int, Work] = MappingProxyType({})
    """What tells whether one of them has anything to do; all others do."""

    @classmethod
    def of(cls, chain: list[object], name: str) -> _Heard:
        places = [at for at, one in enumerate(chain) if _may_hear(one, name)]
        doubtful = [
            at
            for at in places
            if not _is_known(chain[at]) or hasattr(chain[at], "addons")
        ]
        work = {at: has for at in places if (has := work_of(chain[at], name))}
        return cls(list(chain), places, doubtful, work)


def _following(chain: list[object], at: int) -> Iterator[int]:
    """Give the places behind *at*, those included that come meanwhile."""
    while (at := at + 1) < len(chain):
        yield at


def _may_hear(addon: object, name: str) -> bool:
    return not _is_known(addon) or hasattr(addon, "addons") or hasattr(addon, name)


def _is_known(addon: object) -> bool:
    return type(addon).__module__.partition(".")[0] in _KNOWN_PACKAGES


def invoke_addon(found: Iterable[Any], args: list[Any]) -> Waits[None]:
    """Call the hooks; mitmproxy tells errors without what is above this name."""
    for _, hook in found:
        result = hook(*args)
        if result is not None and inspect.isawaitable(result):
            yield result
