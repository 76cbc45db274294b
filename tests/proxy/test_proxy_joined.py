"""Addons that are joined are called as they would be one by one."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from mitmproxy import hooks

from everbearer.proxy.joined import EverbearerFront
from proxy.manager_worlds import World
from proxy.test_proxy_speed_hooks import AddonManager, event

ACTIONS = st.sampled_from(["note", "tick", "raise", "halt", "async raise", "cancel"])
NAMES = ("requestheaders", "update", "running")


@given(
    st.lists(st.dictionaries(st.sampled_from(NAMES), ACTIONS), max_size=4),
    st.sampled_from(NAMES),
)
def test_joined_addons_are_called_as_nested_ones(
    specs: list[dict[str, str]], name: str
):
    """In their order, awaited where they wait, and none after one that failed."""
    worlds = World(AddonManager), World(AddonManager)
    for number, world in enumerate(worlds):
        parts = [world.make(f"a{at}", "x", spec) for at, spec in enumerate(specs)]
        if number:
            world.manager.chain.append(EverbearerFront(*parts))
        else:
            root: Any = world.make("root", "x", {}, nests=True)
            root.addons = parts
            world.manager.chain.append(root)
        world.do(lambda world=world: world.manager.trigger_event(event(name)))
    nested, joined = ([*world.trace] for world in worlds)

    # Where it was raised is told with the frames between.
    assert [one for one in joined if not isinstance(one, list)] == [
        one for one in nested if not isinstance(one, list)
    ]


def test_only_hooks_that_a_part_has_are_there():
    """Mitmproxy passes it over for every other event."""

    class Part:
        def response(self, _flow: object) -> None: ...

    front = EverbearerFront(Part(), Part())

    assert [name for name in hooks.all_hooks if hasattr(front, name)] == ["response"]


async def test_nothing_is_awaited_where_nobody_waits():
    """Hooks that are no coroutines make none."""

    class Part:
        def response(self, _flow: object) -> None: ...

    class Waits:
        async def response(self, _flow: object) -> None:
            await asyncio.sleep(0)

    plain: Any = EverbearerFront(Part(), Part())
    waiting: Any = EverbearerFront(Waits(), Part())

    assert plain.response(None) is None
    coroutine = waiting.response(None)
    assert inspect.iscoroutine(coroutine)
    await coroutine
