"""What is left of a flow that has ended: nothing that opens anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from everbearer.oauth.client_form import is_form
from everbearer.oauth.secret_parameters import holds_secret
from everbearer.policy.paths import masked_target
from everbearer.proxy import internals
from everbearer.proxy.exchanged import is_capability, is_unmatched
from everbearer.proxy.redact import PARAMETERS, redact
from everbearer.schemes import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mitmproxy.http import HTTPFlow

    from everbearer.proxy.notes import Note


def clean(note: Note) -> None:
    """
    Take out of the flow what its request holds of secrets.

    That are tokens and what is masked as they are, a path that is a credential, and
    a form with a secret in it, whole. The states from before edits are cleaned too.
    Only for a flow whose request has left for good, and whose replay has.
    """
    if is_unmatched(note.verdict):
        return
    flow = note.flow
    for scheme in SCHEMES.values():
        redact(flow, scheme)
    # Of one that nobody has decided about it is not known.
    if note.verdict is None or is_capability(note.verdict):
        _mask_path(flow)
    data = flow.request.data
    if data.content and _is_secret_form(data.headers.fields, data.content):
        data.content = None
    for request in _requests_before(flow):
        if _is_secret_form(request.get("headers", ()), request.get("content")):
            request["content"] = None


def _mask_path(flow: HTTPFlow) -> None:
    flow.request.path = _without_capability(flow.request.path)
    for request in _requests_before(flow):
        path = request.get("path", b"").decode("latin-1")
        request["path"] = _without_capability(path).encode("latin-1")


def _without_capability(target: str) -> str:
    return masked_target(target.partition("?")[0])


def _is_secret_form(
    fields: Iterable[tuple[bytes, bytes]], content: bytes | None
) -> bool:
    if not content:
        return False
    kinds = [value for name, value in fields if name.lower() == b"content-type"]
    return any(is_form(kind.decode("latin-1")) for kind in kinds) and holds_secret(
        content, PARAMETERS
    )


def _requests_before(flow: HTTPFlow) -> Iterator[dict[str, Any]]:
    """Yield the request of every state from before an edit."""
    state = internals.backup_of(flow)
    while isinstance(state, dict):
        if state.get("request"):
            yield state["request"]
        state = state.get("backup")
