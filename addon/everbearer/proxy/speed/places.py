"""Where in mitmproxy something else is put, and whether it is still mitmproxy's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mitmproxy import hooks, optmanager
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons.asgiapp import ASGIApp
from mitmproxy.addons.onboarding import Onboarding
from mitmproxy.http import Headers, MessageData
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers import http
from mitmproxy.proxy.layers.tls import TLSLayer
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.utils import asyncio_utils

if TYPE_CHECKING:
    from mitmproxy.master import Master

PLACES: Final[tuple[tuple[Any, str], ...]] = (
    (hooks.Hook, "args"),
    (optmanager._Option, "current"),  # noqa: SLF001 - what `parts` is about
    (Context, "fork"),
    (MessageData, "__post_init__"),
    (asyncio_utils, "set_task_debug_info"),
    (Headers, "get_all"),
    (Headers, "get"),
    (Headers, "__contains__"),
    (ASGIApp, "should_serve"),
    (Onboarding, "request"),
    (ConnectionHandler, "server_event"),
    (ConnectionHandler, "hook_task"),
    (ConnectionHandler, "handle_connection"),
    (http1, "expected_http_body_size"),
    (http, "expected_http_body_size"),
    (commands.StartHook, "__new__"),
    (events.CommandCompleted, "__new__"),
    (Layer, "handle_event"),
    (Layer, "_Layer__process"),
    (http.HttpLayer, "event_to_child"),
    (TLSLayer, "event_to_child"),
    (TLSLayer, "receive_data"),
    (TLSLayer, "send_data"),
)
"""All that this package replaces."""

_OWN: Final = {"mitmproxy", "collections", "everbearer"}
"""Packages that mitmproxy's parts are made of, or what stands for them already."""


def others(master: Master) -> list[str]:
    """Return the places that a script has put something of its own in."""
    found = [
        f"{getattr(owner, '__qualname__', owner.__name__)}.{name}"
        for owner, name in PLACES
        if not _is_own(getattr(owner, name, None))
    ]
    manager = type(master.addons)
    if not (manager is AddonManager or _is_own(manager)):
        found.append(manager.__qualname__)
    return found


def _is_own(part: object) -> bool:
    # python -O leaves checks out, and with them the whole of one part.
    return part is None or str(part.__module__).partition(".")[0] in _OWN
