"""What `speed` puts something else in the place of, as mitmproxy has it."""

from __future__ import annotations

from everbearer.proxy.speed.places import PLACES

OWN = {(owner, name): getattr(owner, name) for owner, name in PLACES}
"""Read before any test can have replaced it: conftest.py imports this."""


def put_back() -> None:
    """Undo whatever `speed` has done to this process."""
    for (owner, name), value in OWN.items():
        if getattr(owner, name) is not value:
            setattr(owner, name, value)
