"""Token requests and their answers in mitmproxy's interfaces, fit to be looked at."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, override

from mitmproxy import contentviews
from mitmproxy.contentviews import Contentview
from mitmproxy.http import HTTPFlow, Response

from everbearer.oauth.reading import (
    is_error_answer,
    is_token_answer,
    is_token_form,
    read_answer,
    read_form,
)
from everbearer.proxy import internals
from everbearer.proxy.shown.question_flow import is_question

if TYPE_CHECKING:
    from mitmproxy.contentviews import Metadata, SyntaxHighlight

_CHOSEN: Final = 2.0
"""Above mitmproxy's own views of JSON and forms, which are at 1."""

_NO: Final = -1.0
_FORM: Final = "application/x-www-form-urlencoded"
_ENDPOINTS: Final = ("/token", "/revoke")
"""How the paths of token and revocation endpoints end, Box's among them."""


class TokenView(Contentview):
    """Decodes what is said at a token endpoint; whatever may be a secret is a mark."""

    @property
    @override
    def name(self) -> str:
        return "everbearer"

    @property
    @override
    def syntax_highlight(self) -> SyntaxHighlight:
        return "yaml"

    @override
    def prettify(self, data: bytes, metadata: Metadata) -> str:
        masked, at = _circumstances(metadata)
        if isinstance(metadata.http_message, Response):
            return read_answer(data, at, _local, masked=masked)
        text = data.decode("utf-8", "replace")
        return read_form(text, at, _local, masked=masked)

    @override
    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        flow, message = metadata.flow, metadata.http_message
        if not data or not isinstance(flow, HTTPFlow) or message is None:
            return _NO
        path = flow.request.path.partition("?")[0]
        at_endpoint = path.endswith(_ENDPOINTS)
        if isinstance(message, Response):
            error = at_endpoint and is_error_answer(data)
            return _CHOSEN if error or is_token_answer(data) else _NO
        if metadata.content_type != _FORM:
            return _NO
        asks = at_endpoint or is_token_form(data.decode("utf-8", "replace"))
        return _CHOSEN if asks else _NO


class EverbearerView:
    """Brings the view along, and takes it away again."""

    def __init__(self) -> None:
        self._view = TokenView()

    def load(self, _loader: object) -> None:
        """Register the view."""
        contentviews.add(self._view)

    def done(self) -> None:
        """Take it out: another proxy of this process may bring its own."""
        internals.forget_view(self._view)


def _circumstances(metadata: Metadata) -> tuple[bool, float]:
    """Return whether all secrets are marks already, and when the request was sent."""
    flow = metadata.flow
    if not isinstance(flow, HTTPFlow):
        return False, time.time()
    return is_question(flow), flow.request.timestamp_start


def _local(instant: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(instant))
