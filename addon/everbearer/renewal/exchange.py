"""A token request and its answer, seen from above the network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everbearer.oauth.grants.contract import Form

if TYPE_CHECKING:
    from everbearer.oauth.token_response import TokenAnswer


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    What came back, and when.

    `sent_at` and `received_at` are monotonic seconds, the others seconds since
    the epoch; `server_date` is the answer's Date, None without one.
    """

    answer: TokenAnswer
    sent_at: float
    sent_wall: float
    received_at: float
    server_date: float | None


type Send = Callable[[str, Form], Awaitable[Exchange]]
"""
Sends a form to a token endpoint's URL.

Raises TokenEndpointUnavailable where no answer came, TokenResponseMalformed for
one that is not fit to be read.
"""
