"""Where in mitmproxy something else is put, and whether it is still mitmproxy's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mitmproxy import addonmanager, hooks, optmanager
from mitmproxy import http as http_
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons.asgiapp import ASGIApp
from mitmproxy.addons.onboarding import Onboarding
from mitmproxy.coretypes.multidict import MultiDict
from mitmproxy.dns import DNSFlow
from mitmproxy.http import Headers, HTTPFlow, MessageData, Request
from mitmproxy.net.http import http1, validate
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers import http
from mitmproxy.proxy.layers.tls import TLSLayer
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.tcp import TCPFlow
from mitmproxy.udp import UDPFlow
from mitmproxy.utils import asyncio_utils

from everbearer.proxy.speed.hooks import HookIndex
from everbearer.proxy.speed.own import is_own

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

_OF_MANAGER: Final = (
    "register",
    "trigger",
    "handle_lifecycle",
    "trigger_event",
    "invoke_addon",
    "_iter_hooks",
)

STOOD_IN_FOR: Final[tuple[tuple[Any, str], ...]] = (
    *((AddonManager, name) for name in _OF_MANAGER),
    (addonmanager, "traverse"),
    *((kind, "wait_for_resume") for kind in (HTTPFlow, TCPFlow, UDPFlow, DNSFlow)),
    (ProxyConnectionHandler, "handle_hook"),
    (hooks.Hook, "__new__"),
    (Context, "__init__"),
    (Headers, "__getitem__"),
    (Headers, "_reduce_values"),
    (Headers, "_kconv"),
    (MultiDict, "get_all"),
    (http_, "_always_bytes"),
    (http_, "_native"),
    (Request, "pretty_host"),
    (validate, "parse_content_length"),
    (TLSLayer, "_handle_command"),
    (TLSLayer, "tls_interact"),
)
"""What stays where it is, but is not asked where what this package puts in is."""


def others(master: Master) -> list[str]:
    """Return the places that a script has put something of its own in."""
    found = [
        f"{getattr(owner, '__qualname__', owner.__name__)}.{name}"
        for owner, name in (*PLACES, *STOOD_IN_FOR)
        # python -O leaves checks out, and with them the whole of one part.
        if not ((part := getattr(owner, name, None)) is None or is_own(part))
    ]
    manager = master.addons
    if type(manager) not in {AddonManager, HookIndex}:
        found.append(type(manager).__qualname__)
    found += [f"master.addons.{name}" for name in _OF_MANAGER if name in vars(manager)]
    return found
