"""What the hooks know of the flows that are under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mitmproxy.http import Headers, HTTPFlow

    from everbearer.policy.verdict import Verdict
    from everbearer.policy.view import RequestView
    from everbearer.proxy.body import Copy
    from everbearer.proxy.refusal import Refusal
    from everbearer.proxy.spool import Spool
    from everbearer.schemes.contract import Changes, Credential, Outcome


class Target(NamedTuple):
    """Where a request goes, as decided; another one afterwards is a breach."""

    scheme: bytes
    host: str
    port: int
    path: bytes
    authority: bytes
    hosts: tuple[bytes, ...]
    via: object

    @classmethod
    def of(cls, flow: HTTPFlow) -> Target:
        """Read it off the flow as it stands."""
        data = flow.request.data
        return cls(
            data.scheme,
            data.host,
            data.port,
            data.path,
            data.authority,
            _hosts(data.headers),
            flow.server_conn.via,
        )


def _hosts(headers: Headers) -> tuple[bytes, ...]:
    # Asked three times of each request; get_all does much more for each field.
    found = [value for name, value in headers.fields if name.lower() == b"host"]
    return tuple(found)


@dataclass(slots=True)
class Note:
    """
    One flow: what was decided, what was done, where it was to go.

    `target` is set last, once the request is ready to leave: a flow without one
    has not been decided and must not leave. `awaits_body` until a request that
    leaves only once its whole body is there was authorised: until then its target
    is where it was decided to go.
    """

    flow: HTTPFlow
    started: float
    view: RequestView | None = None
    verdict: Verdict | None = None
    credential: Credential | None = None
    changes: Changes | None = None
    outcome: Outcome | None = None
    target: Target | None = None
    awaits_body: bool = False
    body_digest: str | None = None
    spool: Spool | None = None
    answer_copy: Copy | None = None
    refusal: Refusal | None = None
    complaint: str = ""  # the error that the challenge of a 401 names
    is_replay: bool = False
    replayed: bool = False
    remark: str = ""
    rejected: str = ""  # fingerprint of the token that a 401 was for
    challenge: str = ""  # what that 401 asked for, in words
    prepared: float = 0.0  # seconds until it was ready to leave


@dataclass(slots=True)
class Notes:
    """
    The notes by flow id; a flow is forgotten when it has ended.

    `closed` once the tokens of all flows were taken out for the last time: what
    is saved is saved after that, so no flow may get another one.
    """

    by_id: dict[str, Note] = field(default_factory=dict)
    closed: bool = False

    def get(self, flow: HTTPFlow) -> Note | None:
        """Return the note of *flow*."""
        return self.by_id.get(flow.id)

    def add(self, note: Note) -> Note:
        """Remember *note* until `forget`."""
        self.by_id[note.flow.id] = note
        return note

    def forget(self, note: Note) -> None:
        """Free what the note holds."""
        if note.spool is not None:
            note.spool.close()
        self.by_id.pop(note.flow.id, None)
