"""What a script has put into mitmproxy stays there, and nothing of ours beside it."""

from __future__ import annotations

from typing import Any

import pytest
from mitmproxy.addonmanager import AddonManager

from everbearer.proxy import speed
from everbearer.proxy.speed.places import PLACES
from proxy.manager_worlds import World
from proxy.mitmproxys_own import OWN, put_back


def master_of(world: World) -> Any:
    """Return what holds the world's manager."""
    return type("Master", (), {"addons": world.manager})


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


@pytest.mark.parametrize(
    "place", PLACES, ids=lambda place: f"{place[0].__name__}.{place[1]}"
)
def test_what_a_script_has_replaced_stays(place: tuple[Any, str], caplog: Any):
    """Then nothing is made faster, and one line says whose place it was."""
    owner, name = place

    def theirs(*args: Any, **kwargs: Any) -> Any:
        return OWN[place](*args, **kwargs)

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
