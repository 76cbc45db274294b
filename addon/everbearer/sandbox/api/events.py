"""The event stream, and the long poll that says when to read it again."""

from everbearer.sandbox import shapes
from everbearer.sandbox.message import Answer
from everbearer.sandbox.world import Call

# DOC `events/user-events/polling.md`: a long poll is held this long.
LONG_POLL_S = 610
LONGEST_CHUNK = 500


def get(call: Call) -> Answer:
    """GET /events?stream_position=&limit=."""
    entries = call.world.events.entries
    position = call.request.parameter("stream_position") or "0"
    start = len(entries) if position == "now" else int(position)
    limit = min(int(call.request.parameter("limit") or 100), LONGEST_CHUNK)
    chunk = entries[start : start + limit]
    return shapes.ok(
        {
            "chunk_size": len(chunk),
            "next_stream_position": start + len(chunk),
            "entries": chunk,
        }
    )


def realtime_server(call: Call) -> Answer:
    """OPTIONS /events: an authenticated call, no CORS preflight."""
    channel = call.world.events.open_channel()
    address = f"https://2.realtime.services.box.net/subscribe?channel={channel}"
    return shapes.ok(
        {
            "chunk_size": 1,
            "entries": [
                {
                    "type": "realtime_server",
                    "url": f"{address}&stream_type=all",
                    "ttl": "10",
                    "max_retries": "10",
                    "retry_timeout": LONG_POLL_S,
                }
            ],
        }
    )


async def subscribe(call: Call) -> Answer:
    """GET N.realtime.services.box.net/subscribe?channel=: knowing it is enough."""
    events = call.world.events
    if not events.knows(call.request.parameter("channel") or ""):
        return shapes.client_error(404)
    if await events.changed(LONG_POLL_S):
        return shapes.ok({"message": "new_change", "version": 1})
    return shapes.ok({"message": "reconnect", "version": 1})
