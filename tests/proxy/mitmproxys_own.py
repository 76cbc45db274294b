"""What `speed` puts something else in the place of, as mitmproxy has it."""

from __future__ import annotations

from everbearer.proxy.speed.places import PLACES, STOOD_IN_FOR

OWN = {(owner, name): getattr(owner, name) for owner, name in (*PLACES, *STOOD_IN_FOR)}
"""Read before any test can have replaced it: conftest.py imports this."""

_THERE = {(owner, name): vars(owner).get(name) for owner, name in OWN}
"""The same as it lies there, a static method for one; nothing if inherited."""


def put_back() -> None:
    """Undo whatever `speed` has done to this process."""
    for (owner, name), value in OWN.items():
        if getattr(owner, name) is value:
            continue
        if (there := _THERE[owner, name]) is None:
            delattr(owner, name)
        else:
            setattr(owner, name, there)
