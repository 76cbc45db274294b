"""The credential that a request goes out with, mostly there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.proxy import internals
from everbearer.proxy.body import is_small

if TYPE_CHECKING:
    from everbearer.broker import Broker
    from everbearer.proxy.notes import Note
    from everbearer.proxy.waiting import Waits
    from everbearer.schemes.contract import Credential


def credential_for(note: Note, profile: str, broker: Broker) -> Waits[Credential]:
    """Return a credential of *profile*; raises what a renewal raises."""
    assert note.view is not None
    ready = broker.ready(profile) if is_small(note.view.body_length) else None
    if ready is not None:
        return ready
    credential: Credential = yield _waited_for(note, profile, broker)
    return credential


async def _waited_for(note: Note, profile: str, broker: Broker) -> Credential:
    assert note.view is not None
    length = note.view.body_length
    if is_small(length):
        return await broker.credential(profile)
    # Nothing of a long body is read while anything is waited for.
    async with internals.reading_paused(note.flow.client_conn):
        if length is None or length > broker.settings.proxy.replay_body_limit:
            # Another process may have renewed: this request has one try.
            await broker.look(profile)
        return broker.ready(profile) or await broker.credential(profile)
