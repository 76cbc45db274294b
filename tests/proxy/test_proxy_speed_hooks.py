"""An index of hooks changes nothing but the time it takes."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from mitmproxy import hooks
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons import default_addons
from mitmproxy.addons.errorcheck import ErrorCheck
from mitmproxy.addons.keepserving import KeepServing
from mitmproxy.addons.readfile import ReadFile, ReadFileStdin
from mitmproxy.proxy.layers.http import HttpRequestHeadersHook
from mitmproxy.proxy.server_hooks import ClientConnectedHook
from mitmproxy.test import tflow

from everbearer.proxy import speed
from everbearer.proxy.speed.hooks import HookIndex
from proxy.manager_worlds import ACTIONS, EDITS, World

NAMES = ("requestheaders", "update", "client_connected", "running", "configure")
PACKAGES = st.sampled_from(["mitmproxy", "everbearer", "somebody"])
SPECS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ACTIONS), max_size=3)


def event(name: str) -> hooks.Hook:
    """Make one of *name*, with what it carries."""
    flow = tflow.tflow()
    made = {
        "requestheaders": lambda: HttpRequestHeadersHook(flow),
        "update": lambda: hooks.UpdateHook([flow]),
        "client_connected": lambda: ClientConnectedHook(flow.client_conn),
        "running": hooks.RunningHook,
        "configure": lambda: hooks.ConfigureHook({"mode"}),
    }
    return made[name]()


class Same(RuleBasedStateMachine):
    """Whatever happens to addons, both managers show the same."""

    def __init__(self) -> None:
        super().__init__()
        self.worlds = (World(AddonManager), World(HookIndex))

    def both(self, work: Any) -> None:
        """Do the same in both worlds."""
        for world in self.worlds:
            world.do(lambda world=world: work(world))

    def name(self, data: st.DataObject, *, chained: bool = False) -> str:
        """Choose an addon, of the chain or of all that were ever made."""
        world = self.worlds[0]
        names = [a.name for a in world.manager.chain] if chained else list(world.made)
        return data.draw(st.sampled_from(names))

    def new(self, package: str, spec: dict[str, str], nests: bool) -> str:
        """Make an addon in both worlds."""
        name = f"a{len(self.worlds[0].made)}"
        for world in self.worlds:
            world.make(name, package, spec, nests=nests)
        return name

    @initialize(data=st.data())
    def start(self, data):
        """Begin with a chain, as every mitmproxy does."""
        for _ in range(4):
            self.add(data.draw(PACKAGES), data.draw(SPECS), data.draw(st.booleans()))

    @rule(package=PACKAGES, spec=SPECS, nests=st.booleans())
    def add(self, package, spec, nests):
        """Add an addon at the end."""
        name = self.new(package, spec, nests)
        self.both(lambda w: w.manager.add(w.made[name]))

    @rule(package=PACKAGES, spec=SPECS, nests=st.booleans(), at=st.integers(0, 5))
    def insert(self, package, spec, nests, at):
        """Add one in the middle, by editing the chain in place."""
        name = self.new(package, spec, nests)
        self.both(lambda w: w.manager.chain.__setitem__(slice(at, at), [w.made[name]]))

    @precondition(lambda self: self.worlds[0].made)
    @rule(data=st.data(), package=PACKAGES, spec=SPECS)
    def nest(self, data, package, spec):
        """Let an addon have another, which is registered as scripts are."""
        parent = self.name(data)
        name = self.new(package, spec, nests=True)

        def work(w: World) -> None:
            w.manager.register(w.made[name])
            w.made[parent].addons.append(w.made[name])

        self.both(work)

    @precondition(lambda self: self.worlds[0].made)
    @rule(data=st.data())
    def replace_nested(self, data):
        """Give an addon another list of addons, as a reload does."""
        parent, child = self.name(data), self.name(data)
        nested = [] if parent >= child else [child]  # no circles

        def work(w: World) -> None:
            if hasattr(w.made[parent], "addons"):
                w.made[parent].addons = [w.made[n] for n in nested]

        self.both(work)

    @precondition(lambda self: self.worlds[0].made)
    @rule(data=st.data())
    def remove(self, data):
        """Remove an addon, chained or nested or gone already."""
        name = self.name(data)
        self.both(lambda w: w.manager.remove(w.made[name]))

    @rule()
    def reverse(self):
        """Turn the chain round in place."""
        self.both(lambda w: w.manager.chain.reverse())

    @rule()
    def clear(self):
        """Remove all."""
        self.both(lambda w: w.manager.clear())

    @precondition(lambda self: self.worlds[0].manager.chain)
    @rule(
        data=st.data(), hook=st.sampled_from(NAMES), action=st.sampled_from(("note",))
    )
    def assign(self, data, hook, action):
        """Put a hook in another's place, or on what is nobody's that is known."""
        name = self.name(data, chained=True)

        def work(w: World) -> None:
            addon = w.made[name]
            if hasattr(addon, hook) or type(addon).__module__ == "somebody.toy":
                made = w._hook(hook, action)
                setattr(addon, hook, lambda *args: made(addon, *args))

        self.both(work)

    @rule(name=st.sampled_from(NAMES))
    def trigger(self, name):
        """Let an event go through, without awaiting."""
        self.both(lambda w: w.manager.trigger(event(name)))

    @rule(name=st.sampled_from(NAMES))
    def trigger_event(self, name):
        """Let an event go through."""
        self.both(lambda w: w.manager.trigger_event(event(name)))

    @rule(name=st.sampled_from(("requestheaders", "client_connected", "configure")))
    def handle_lifecycle(self, name):
        """Let an event go through as connections do, and the update after it."""
        self.both(lambda w: w.manager.handle_lifecycle(event(name)))

    @rule()
    def options(self):
        """Change an option."""
        self.both(lambda w: w.options.update(listen_host="127.0.0.1"))

    @invariant()
    def agree(self):
        """Both have called the same, in the same order, and logged the same."""
        assert self.worlds[0].seen() == self.worlds[1].seen()


def test_both_managers_show_the_same():
    """Whatever happens to addons, the index shows what mitmproxy's manager does."""
    run_state_machine_as_test(
        Same, settings=settings(max_examples=100, stateful_step_count=20, deadline=None)
    )


@pytest.fixture(params=[AddonManager, HookIndex])
def world(request) -> World:
    """Give a world of each kind."""
    return World(request.param)


def put(world: World, name: str, package: str = "mitmproxy", **spec: str) -> Any:
    """Add an addon to the chain."""
    addon = world.make(name, package, spec)
    world.manager.add(addon)
    return addon


def told(world: World) -> list[object]:
    """Return whom a requestheaders reached."""
    world.trace.clear()
    world.do(lambda: world.manager.handle_lifecycle(event("requestheaders")))
    return [each[1] for each in world.trace if each[0] == "requestheaders"]


def test_order_is_that_of_the_chain_depth_first(world: World):
    """A parent comes before its children, children before the next."""
    parent = put(world, "parent", requestheaders="note")
    put(world, "last", requestheaders="tick")
    children = [world.make(n, "somebody", {"requestheaders": "note"}) for n in "ab"]
    parent.addons = children

    assert told(world) == ["parent", "a", "b", "last"]


def test_a_halt_ends_the_event_and_an_error_only_the_addon(world: World):
    """AddonHalt stops the chain; anything else is logged, and the next is called."""
    put(world, "first", requestheaders="raise")
    put(world, "second", requestheaders="async halt", update="note")
    put(world, "third", requestheaders="note")

    assert told(world) == ["first", "second"]
    assert ("ERROR", "Addon error: broken") in world.trace
    assert ("update", "second") in world.trace  # that is another event


def test_an_options_error_is_not_swallowed(world: World):
    """It reaches whoever changed the option."""
    put(world, "first", configure="options")
    world.do(lambda: world.options.update(listen_host="::1"))

    assert ("raised", "OptionsError", "no such thing") in world.trace


@pytest.mark.parametrize("how", EDITS)
def test_a_chain_edited_by_a_hook_goes_on_as_a_loop_does(how: str):
    """What a hook does to the chain tells in the same event, the same way in both."""
    seen = []
    for kind in (AddonManager, HookIndex):
        world = World(kind)
        for name in ("a", "b", "c"):
            put(world, f"deaf {name}")
            action = how if name == "b" else "note"
            put(world, name, requestheaders=action, update="note")
        seen.append((told(world), told(world), world.seen()))

    assert seen[0] == seen[1]


def test_an_edit_in_place_is_seen_by_the_next_event(world: World):
    """So does the launcher put its addons into the middle."""
    put(world, "first", requestheaders="note")
    told(world)
    late = world.make("late", "everbearer", {"requestheaders": "note"})
    world.manager.chain[0:0] = [late]

    assert told(world) == ["late", "first"]


def test_a_reloaded_script_is_heard_at_once(world: World):
    """A script manager makes its list of addons anew."""
    loader = put(world, "loader")
    loader.addons = []
    told(world)
    loader.addons = [world.make("s", "somebody", {"requestheaders": "note"})]

    assert told(world) == ["s"]


def test_a_first_hook_put_on_anothers_addon_is_heard_after_a_change(world: World):
    """Put on a known addon from outside, it counts from the next change of options."""
    addon = put(world, "deaf")
    put(world, "hears", requestheaders="note")
    told(world)
    addon.requestheaders = lambda _: world.trace.append(("requestheaders", "deaf"))
    world.options.update(listen_host="127.0.0.2")

    assert told(world) == ["deaf", "hears"]


@pytest.mark.parametrize("package", ["mitmproxy", "everbearer"])
def test_who_hears_nothing_is_not_asked(package: str):
    """A known addon without the hook is looked at once, not at every event."""
    world = World(HookIndex)
    asked = []

    class Curious:
        """Notes what it is asked for; no addon of theirs does."""

        name = "curious"

        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            raise AttributeError(name)

    Curious.__module__ = f"{package}.toy"
    world.manager.add(Curious())
    told(world)
    asked.clear()
    told(world)

    assert asked == []


def known_addons() -> list[object]:
    """Return what mitmproxy loads, whichever interface."""
    return [*default_addons(), ErrorCheck(), KeepServing(), ReadFile(), ReadFileStdin()]


@pytest.mark.parametrize("addon", known_addons(), ids=lambda a: type(a).__name__)
def test_no_addon_of_mitmproxys_gives_itself_a_hook(addon: object):
    """What an index rests on: none assigns to an attribute with an event's name."""
    names = {*hooks.all_hooks, "addons"} if not hasattr(addon, "addons") else set()
    for kind in type(addon).__mro__:
        if not kind.__module__.startswith("mitmproxy."):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
        stored = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and ast.unparse(node.value) == "self"
        }

        assert not stored & names
        assert not {"__getattr__", "__getattribute__"} & set(vars(kind))


def test_an_unknown_mitmproxy_is_left_as_it_is(monkeypatch, caplog):
    """Its manager stays its own, and one line says so."""
    monkeypatch.setattr("mitmproxy.version.VERSION", "12.9.1")
    world = World(AddonManager)
    master: Any = type("Master", (), {"addons": world.manager})

    assert not speed.hasten(master)
    assert type(master.addons) is AddonManager
    (record,) = caplog.records
    assert "12.9.1" in record.getMessage()


def test_a_known_mitmproxy_gets_the_index():
    """The manager that everybody holds becomes one that remembers."""
    world = World(AddonManager)
    master: Any = type("Master", (), {"addons": world.manager})

    assert speed.hasten(master)
    assert type(master.addons) is HookIndex
    assert master.addons is world.manager
