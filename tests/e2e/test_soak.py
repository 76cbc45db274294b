"""The soak run, short."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness import Place
from soak.places import STORES
from soak.run import Soak

SECONDS = 30.0


@pytest.mark.parametrize("kind", STORES)
def test_nothing_is_lost_while_everything_misbehaves(
    place: Place, record_property: Callable[[str, object], None], kind: str
):
    """Half a minute of kills, revocations and a bad token endpoint loses nothing."""
    soak = Soak(place, seed=7, store=kind, proxies=3, clients=6, token_life=5.0)

    ledger = soak.run(SECONDS, progress=False)

    for line in soak.table(ledger):
        record_property("measured", f"soak on {kind}: {line}")
    assert not ledger.losses, "\n".join(ledger.losses)
    assert ledger.answered.total() > 0
    assert ledger.faults.total() > 0
