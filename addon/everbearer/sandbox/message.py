"""A request as the sandbox's handlers see it, and their answer."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, parse_qsl

from tornado.httputil import HTTPHeaders

from everbearer.sandbox.bodies import Received

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What goes back. Without *length*, the body is sent chunked.

    A *stream* takes the place of *body*; its *length* must be right.
    """

    status: int
    body: bytes = b""
    fields: Fields = ()
    stream: Iterator[bytes] | None = None
    length: int | None = None
    chunked: bool = False
    request_id: str = field(default_factory=lambda: secrets.token_hex(8))


class Refused(Exception):  # noqa: N818  it ends the handling, it is no fault
    """Ends the handling of a request with an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


@dataclass(slots=True)
class Request:
    """A request; *received* is its body once that is whole."""

    method: str
    host: str
    path: str
    query: str
    fields: HTTPHeaders
    received: Received

    def parameter(self, name: str) -> str | None:
        """Return the first query parameter *name*."""
        if not self.query:
            return None
        values = parse_qs(self.query, keep_blank_values=True).get(name)
        return values[0] if values else None

    def form(self) -> dict[str, str]:
        """Return the body as a form; the last of equal names wins, as in PHP."""
        text = self.received.buffered().decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True))

    def json(self) -> dict[str, object]:
        """
        Return the body as a JSON object; empty for an empty body.

        Raises ValueError for anything else.
        """
        body = self.received.buffered()
        if not body:
            return {}
        value = json.loads(body)
        if not isinstance(value, dict):
            raise ValueError("a JSON object is needed")  # noqa: TRY004  as json.loads
        return value

    def bearers(self) -> list[str]:
        """Return the token of each Authorization field, "" where it is no bearer."""
        return [_bearer(value) for value in self.fields.get_list("Authorization")]


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
