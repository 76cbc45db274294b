"""What `speed` puts something else in the place of, as mitmproxy has it."""

from __future__ import annotations

from typing import Any

from mitmproxy import hooks, optmanager
from mitmproxy.addons.asgiapp import ASGIApp
from mitmproxy.addons.onboarding import Onboarding
from mitmproxy.http import Headers, MessageData
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.tls import TLSLayer
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.utils import asyncio_utils

PLACES: tuple[tuple[Any, str], ...] = (
    (hooks.Hook, "args"),
    (optmanager._Option, "current"),
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
    (TLSLayer, "event_to_child"),
    (TLSLayer, "receive_data"),
    (TLSLayer, "send_data"),
)

OWN = {(owner, name): getattr(owner, name) for owner, name in PLACES}
"""Read before any test can have replaced it: conftest.py imports this."""


def put_back() -> None:
    """Undo whatever `speed` has done to this process."""
    for (owner, name), value in OWN.items():
        if getattr(owner, name) is not value:
            setattr(owner, name, value)
