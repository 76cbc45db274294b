"""What a script has put into mitmproxy stays there, and nothing of ours beside it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from mitmproxy.addonmanager import AddonManager

from everbearer.proxy import speed
from everbearer.proxy.speed.hooks import HookIndex
from everbearer.proxy.speed.own import is_own
from everbearer.proxy.speed.places import PLACES, STOOD_IN_FOR
from proxy.manager_worlds import World
from proxy.mitmproxys_own import OWN, put_back


def master_of(world: World) -> Any:
    """Return what holds the world's manager."""
    return type("Master", (), {"addons": world.manager})


def told(place: tuple[Any, str]) -> str:
    """Return the name of a place."""
    return f"{place[0].__name__}.{place[1]}"


def parameters(part: Any) -> list[tuple[str, Any, Any]]:
    """Return how a part is called."""
    each = inspect.signature(part).parameters.values()
    return [(one.name, one.kind, one.default) for one in each]


def ours() -> set[tuple[Any, str]]:
    """Return where in mitmproxy's parts something of ours is."""
    return {
        (owner, name)
        for owner in {owner for owner, _ in PLACES}
        for name, part in vars(owner).items()
        if str(getattr(part, "__module__", "")).startswith("everbearer.proxy.speed")
    }


def test_every_place_is_known():
    """Whatever is replaced is looked at before, and all of it is mitmproxy's."""
    assert not ours()
    assert speed.hasten(master_of(World(AddonManager)))

    assert ours() == set(PLACES)


@pytest.mark.parametrize("place", PLACES, ids=told)
def test_what_is_called_by_name_still_is(place: tuple[Any, str]):
    """Parameters have mitmproxy's names, kinds and defaults."""
    owner, name = place
    speed.hasten(master_of(World(AddonManager)))

    assert parameters(getattr(owner, name)) == parameters(OWN[place])


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in vars(HookIndex)
        if name in vars(AddonManager) and not name.startswith("__")
    ],
)
def test_a_managers_methods_are_called_by_name_too(name: str):
    """They are looked at before as well, and take what mitmproxy's take."""
    assert (AddonManager, name) in STOOD_IN_FOR
    assert parameters(getattr(HookIndex, name)) == parameters(OWN[AddonManager, name])


def as_it_is(theirs: Callable[..., Any], _: Any) -> Any:
    """Replace a part by a function."""
    return theirs


def wrapped(theirs: Callable[..., Any], own: Any) -> Any:
    """Replace it by one that goes by the name of mitmproxy's."""
    return functools.wraps(own)(theirs)


def as_a_property(theirs: Callable[..., Any], _: Any) -> Any:
    """Replace it by what gives something when it is asked for."""
    return property(theirs)


@pytest.mark.parametrize("how", [as_it_is, wrapped, as_a_property])
@pytest.mark.parametrize("place", [*PLACES, *STOOD_IN_FOR], ids=told)
def test_what_a_script_has_replaced_stays(
    place: tuple[Any, str], how: Callable[..., Any], caplog: Any
):
    """Then nothing is made faster, and one line says whose place it was."""
    owner, name = place

    def function(*args: Any, **kwargs: Any) -> Any:
        return OWN[place](*args, **kwargs)

    theirs = how(function, OWN[place])
    world = World(AddonManager)
    setattr(owner, name, theirs)
    hastened = speed.hasten(master_of(world))
    left = getattr(owner, name), ours()
    put_back()

    assert not hastened
    assert left == (theirs, set())
    assert type(world.manager) is AddonManager
    (record,) = caplog.records
    assert f"{name}: everbearer does not" in record.getMessage()


@pytest.mark.parametrize(
    "name", [name for owner, name in STOOD_IN_FOR if owner is AddonManager]
)
def test_what_a_script_has_put_on_the_manager_stays(name: str, caplog: Any):
    """The one that is in use may hold another method than its class."""
    world = World(AddonManager)
    vars(world.manager)[name] = getattr(world.manager, name)

    assert not speed.hasten(master_of(world))
    assert type(world.manager) is AddonManager
    assert not ours()
    (record,) = caplog.records
    assert f"master.addons.{name}" in record.getMessage()


def test_what_hides_whose_code_it_is_is_not_mitmproxys():
    """Only plain functions can be looked at; anything else is a script's."""
    own = OWN[AddonManager, "register"]

    assert is_own(own)
    assert is_own(staticmethod(own))
    assert is_own(classmethod(own))
    assert not is_own(functools.partial(own))
    assert not is_own(functools.lru_cache(own))
    assert not is_own(functools.partialmethod(own))
    assert not is_own(property())


def test_a_manager_of_somebody_elses_stays(caplog: Any):
    """It does what it does, although it is made of mitmproxy's."""

    class Manager(AddonManager):
        """Somebody's."""

    world = World(AddonManager)
    world.manager.__class__ = Manager

    assert not speed.hasten(master_of(world))
    assert type(world.manager) is Manager
    assert not ours()
    (record,) = caplog.records
    assert "Manager" in record.getMessage()


def test_what_is_fast_already_may_be_made_so_again():
    """Ours is no stranger."""
    world = World(AddonManager)

    assert speed.hasten(master_of(world))
    assert speed.hasten(master_of(world))
    assert ours() == set(PLACES)
