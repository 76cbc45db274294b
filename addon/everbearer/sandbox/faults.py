"""Faults that a test puts in the way of matching requests."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import repeat
from typing import Any, Literal, get_args

from everbearer.sandbox import shapes
from everbearer.sandbox.content import CHUNK, synthetic_chunks
from everbearer.sandbox.matching import Match
from everbearer.sandbox.message import Answer, Fields

Disconnect = Literal["before", "after"]
Early = Literal["keep", "close"]


@dataclass(frozen=True, slots=True)
class Effect:
    """
    What happens to a matching request; what is not given does not happen.

    On the way in:
    - `early_401`: 401 at the head; then the body is read and the connection kept
      ("keep"), or not read and the connection closed ("close").
    - `silent`: no answer, ever.
    - `delay`: seconds to wait once the request is there.
    - `hold`: wait for `POST /_sandbox/release`.
    - `disconnect`: close without an answer, "before" the work or "after" it.

    In place of the answer; the work is not done, unless `processed`:
    - `status`: with `body` (text, or JSON of any shape), `fields`, `code`; without
      body and code, what Box would send with that status there.
    - `html`: a proxy's error page, status 502 unless given.
    - `huge`: that many bytes. `endless`: bytes without end.

    Changes of a token response: `same_token` (the last answer again); and, while
    the refresh token has rotated all the same, `json` (members merged into it),
    `omit` (members left out), `expires_in`.
    To any answer: `retry_after` (seconds, or raw text), `truncate` (close after that
    many bytes of the body), `drip` (bytes per second).
    """

    early_401: Early | None = None
    silent: bool = False
    delay: float = 0.0
    hold: bool = False
    disconnect: Disconnect | None = None
    processed: bool = False
    status: int | None = None
    body: Any = None
    fields: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None
    html: bool = False
    huge: int | None = None
    endless: bool = False
    same_token: bool = False
    json: Mapping[str, Any] = field(default_factory=dict)
    omit: tuple[str, ...] = ()
    retry_after: int | str | None = None
    truncate: int | None = None
    drip: float | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Effect":
        """Return the effect; raises ValueError that names what is wrong."""
        values = dict(given)
        if "expires_in" in values:
            expires_in = values.pop("expires_in")
            values["json"] = {"expires_in": expires_in, **values.get("json", {})}
        known = {each.name for each in fields(cls)}
        for key in values:
            if key not in known:
                raise ValueError(f"effect: no key {key!r}; there are {sorted(known)}")
        for key in ("delay", "status", "huge", "truncate", "drip"):
            if not isinstance(values.get(key, 0), int | float):
                raise ValueError(f"effect: {key} must be a number")  # noqa: TRY004  one class for all that is wrong
        _one_of(values, "early_401", get_args(Early))
        _one_of(values, "disconnect", get_args(Disconnect))
        values["omit"] = tuple(values.get("omit", ()))
        return cls(**values)

    @property
    def replaces(self) -> bool:
        """Tell whether the answer does not come from the work."""
        return (
            self.status is not None
            or self.html
            or self.huge is not None
            or self.endless
        )


@dataclass(slots=True)
class Fault:
    """An effect with the requests it is for; *times* None means for ever."""

    id: int
    match: Match
    effect: Effect
    times: int | None
    taken: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    """The faults in force; the oldest that matches is taken."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._holding: dict[int, Fault] = {}
        self._count = 0

    def add(self, match: Match, effect: Effect, times: int | None) -> Fault:
        """Put a fault in force."""
        self._count += 1
        fault = Fault(self._count, match, effect, times)
        self._faults[fault.id] = fault
        if effect.hold:
            self._holding[fault.id] = fault
        return fault

    def take(
        self, method: str, host: str, path: str, grant_type: str | None
    ) -> Fault | None:
        """Return the fault for a request, and count it."""
        for fault in self._faults.values():
            if fault.match.fits(method, host, path, grant_type):
                fault.taken += 1
                if fault.taken == fault.times:
                    del self._faults[fault.id]
                return fault
        return None

    def release(self, fault_id: int | None) -> list[int]:
        """Let go what a fault holds, or all of them, and end the fault."""
        ids = [each for each in self._holding if fault_id in (None, each)]
        for each in ids:
            self._holding.pop(each).released.set()
            self._faults.pop(each, None)
        return ids

    def clear(self) -> None:
        """End all faults; what is held goes on."""
        self.release(None)
        self._faults.clear()

    def in_force(self) -> list[Fault]:
        """Return the faults that the next requests may meet."""
        return list(self._faults.values())


def replacement(effect: Effect, *, token_endpoint: bool) -> Answer:
    """Return the answer that a replacing effect gives instead of the work's."""
    if effect.endless:
        blank = repeat(bytes(CHUNK))
        return Answer(effect.status or 200, fields=_BINARY, stream=blank, chunked=True)
    if effect.huge is not None:
        filler = synthetic_chunks(0, effect.huge)
        return Answer(
            effect.status or 200, fields=_BINARY, stream=filler, length=effect.huge
        )
    if effect.html:
        page = "<html><body><h1>502 Bad Gateway</h1></body></html>"
        return shapes.html(effect.status or 502, page)
    assert effect.status is not None
    if effect.body is not None:
        return _given(effect.status, effect.body)
    if token_endpoint and effect.code is None:
        return _token_endpoint_answer(effect.status)
    return _api_answer(effect.status, effect.code)


_BINARY: Fields = (("Content-Type", "application/octet-stream"),)


def _given(status: int, body: object) -> Answer:
    if isinstance(body, str):
        return Answer(status, body.encode(), (("Content-Type", "application/json"),))
    return shapes.ok(body, status)


def _token_endpoint_answer(status: int) -> Answer:
    if status == 409:  # noqa: PLR2004  the status itself
        return shapes.token_conflict()
    if status == 429:  # noqa: PLR2004  the status itself
        return shapes.token_overload()
    return Answer(status)


def _api_answer(status: int, code: str | None) -> Answer:
    if status == 401:  # noqa: PLR2004  the status itself
        return shapes.unusable_token() if code else shapes.invalid_token()
    if status == 403 and code is None:  # noqa: PLR2004  the status itself
        return shapes.insufficient_scope()
    return shapes.client_error(status, code)


def _one_of(
    values: Mapping[str, object], key: str, allowed: tuple[object, ...]
) -> None:
    if values.get(key) not in (None, *allowed):
        raise ValueError(f"effect: {key} must be one of {list(allowed)}")
