"""
Small parts of mitmproxy that every request goes through, with less work.

Each gives what the one that it stands for gives, and leaves to that one whatever
is out of the ordinary. A test compares them.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import TYPE_CHECKING, Any, Final

from mitmproxy import hooks, optmanager
from mitmproxy.addons.asgiapp import ASGIApp
from mitmproxy.addons.onboarding import Onboarding
from mitmproxy.http import Headers, MessageData
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http
from mitmproxy.utils import asyncio_utils

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from mitmproxy.http import HTTPFlow, Request, Response

_ATOMS: Final = {bool, float, int, str, type(None)}
"""Types of whose values a copy is the value itself."""

_FRAMING: Final = {b"content-length", b"transfer-encoding"}
_OF_FRAMING: Final = {len(name) for name in _FRAMING}
_BODILESS: Final = {*range(100, 200), 204, 304}
_BODILESS_TO: Final = {b"HEAD", b"CONNECT"}
_DIGITS: Final = 18
_ZERO: Final = ord("0")

_sound: Final[set[type]] = set()
_names: Final[dict[type, tuple[str, ...]]] = {}
_right: Final[dict[type, tuple[tuple[str, frozenset[object]], ...]]] = {}

_current: Final = optmanager._Option.current  # noqa: SLF001 - what it is about
_check_types: Final = getattr(MessageData, "__post_init__", None)
_get_all: Final = Headers.get_all
_get: Final = Headers.get
_contains: Final = Headers.__contains__
_body_size: Final = http1.expected_http_body_size
_hook: Final[Callable[..., object]] = commands.StartHook.__new__
_answer: Final[Callable[..., object]] = events.CommandCompleted.__new__
_set_task_debug_info: Final = asyncio_utils.set_task_debug_info
_onboard: Final[Callable[[Onboarding, HTTPFlow], Awaitable[None]]] = Onboarding.request
_should_serve: Final = ASGIApp.should_serve


def args(self: hooks.Hook) -> list[Any]:
    """Return what an event carries; its fields are looked up once for its class."""
    kind = type(self)
    names = _names.get(kind)
    if names is None:
        names = tuple(field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]
        _names[kind] = names
    return [getattr(self, name) for name in names]


def current(self: Any) -> Any:
    """Return an option's value, copied only where somebody could change it."""
    value = self._default if self.value is optmanager.unset else self.value
    return value if type(value) in _ATOMS else _current(self)


def fork(self: Context) -> Context:
    """Return another context; without a server that is made to be replaced."""
    made = object.__new__(Context)
    made.client = self.client
    made.options = self.options
    made.server = self.server
    made.layers = self.layers.copy()
    return made


def check_types(self: MessageData) -> None:
    """Check the types of a message's parts, at leisure only where one is odd."""
    kind = type(self)
    right = _right.get(kind)
    if right is None:
        right = tuple(
            (field.name, _exactly(field.type)) for field in dataclasses.fields(kind)
        )
        _right[kind] = right
    values = vars(self)
    for name, kinds in right:
        if type(values[name]) not in kinds:
            assert _check_types is not None
            _check_types(self)
            return


def _exactly(spec: Any) -> frozenset[object]:
    """Return the types whose own values satisfy *spec*; none where that is unclear."""
    union = isinstance(spec, types.UnionType) or typing.get_origin(spec) is typing.Union
    each = typing.get_args(spec) if union else (spec,)
    return frozenset(kind for kind in each if isinstance(kind, type))


def get_all(self: Headers, name: str | bytes) -> list[str]:
    """Return all values of a field, with one walk over what is there."""
    if isinstance(name, str):
        name = name.encode("utf-8", "surrogateescape")
    if type(self) is not Headers or not isinstance(name, bytes):
        return _get_all(self, name)  # it raises, or asks what is another's
    wanted, length = name.lower(), len(name)
    return [
        value.decode("utf-8", "surrogateescape")
        for found, value in self.fields
        if len(found) == length and found.lower() == wanted
    ]


def get(self: Headers, key: str | bytes, default: Any = None) -> Any:
    """Return the values of a field in one line, else *default*; nothing is raised."""
    if type(self) is not Headers:
        return _get(self, key, default)
    values = self.get_all(key)
    return ", ".join(values) if values else default


def contains(self: Headers, key: Any) -> bool:
    """Tell whether a field is there."""
    if type(self) is not Headers:
        return _contains(self, key)
    return bool(self.get_all(key))


def body_size(request: Request, response: Response | None = None) -> int | None:
    """
    Return the length of a message's body; mitmproxy judges all but the plain cases.

    Plain is a Content-Length of digits, one alone, and a request without any.
    """
    fields = (request if response is None else response).headers.fields
    found = None
    for name, value in fields:
        if len(name) in _OF_FRAMING and (kind := name.lower()) in _FRAMING:
            if found is not None or kind == b"transfer-encoding":
                return _body_size(request, response)
            found = value
    if response is not None and (
        found is None
        or response.data.status_code in _BODILESS
        or request.data.method.upper() in _BODILESS_TO
    ):
        return _body_size(request, response)
    if found is None:
        return 0  # RFC 9112 §6.3
    is_plain = len(found) <= _DIGITS and found.isdigit() and found[0] != _ZERO
    return int(found) if is_plain else _body_size(request, response)


def new(cls: type, *args: object, **kwargs: object) -> object:
    """Make a hook or an answer to a command; its class is judged once."""
    if cls in _sound:
        return object.__new__(cls)
    base = events.CommandCompleted
    made = (_answer if issubclass(cls, base) else _hook)(cls, *args, **kwargs)
    _sound.add(cls)
    return made


def should_serve(self: ASGIApp, flow: HTTPFlow) -> bool:
    """Tell whether a request is for an app in mitmproxy, of which few are."""
    asked = flow.request.host_header
    # What mitmproxy compares is a part of that, or where there is none the host.
    return (not asked or self.host in asked) and _should_serve(self, flow)


def onboard(self: Onboarding, f: HTTPFlow) -> Awaitable[None] | None:
    """Answer for mitm.it; no coroutine is made for the others."""
    return _onboard(self, f) if self.should_serve(f) else None


def set_task_debug_info(
    task: asyncio.Task[Any], *, name: str, client: tuple[Any, ...] | None = None
) -> None:
    """Name a task, unless it is over: most are before anybody could ask."""
    if not task.done():
        _set_task_debug_info(task, name=name, client=client)


def replace_all() -> None:
    """Put all of them into mitmproxy's place, for this process."""
    hooks.Hook.args = args  # type: ignore[method-assign]
    optmanager._Option.current = current  # type: ignore[method-assign]  # noqa: SLF001
    Context.fork = fork  # type: ignore[method-assign]
    if _check_types is not None:  # there is none with python -O
        MessageData.__post_init__ = check_types  # type: ignore[method-assign]
    asyncio_utils.set_task_debug_info = set_task_debug_info
    http1.expected_http_body_size = body_size
    http.expected_http_body_size = body_size
    commands.StartHook.__new__ = staticmethod(new)  # type: ignore[method-assign]
    events.CommandCompleted.__new__ = staticmethod(new)  # type: ignore[method-assign]
    Headers.get_all = get_all  # type: ignore[method-assign]
    Headers.get = get  # type: ignore[assignment, method-assign]
    Headers.__contains__ = contains  # type: ignore[assignment, method-assign]
    ASGIApp.should_serve = should_serve  # type: ignore[method-assign]
    Onboarding.request = onboard  # type: ignore[assignment, method-assign]
