"""Comments and markers of flows; what a person wrote there stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

REPLAY: Final = ":repeat:"
REFUSAL: Final = ":no_entry:"
QUESTION: Final = ":key:"
"""Markers, each a name in mitmproxy's table of emoji; `~marker` finds them."""

REQUEST: Final = "everbearer.request"
"""Where the flow of a replay keeps which flow it is a replay of."""

_OURS: Final = "everbearer.comment"
"""Where a flow keeps what we wrote: another text is somebody else's."""


def tell(flow: HTTPFlow, comment: str, marker: str = "") -> None:
    """Write what became of *flow* beside it."""
    before = flow.metadata.get(_OURS, "")
    if flow.comment == before:
        flow.comment = flow.metadata[_OURS] = comment
        if not flow.marked or (before and flow.marked in {REPLAY, REFUSAL}):
            flow.marked = marker
    elif not flow.marked:
        flow.marked = marker
