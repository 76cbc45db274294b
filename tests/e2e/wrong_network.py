"""
A mitmproxy script: a network in which every name leads to the wrong server.

Only what `connect_to` has led to loopback arrives where it should. Nothing of
everbearer or mitmproxy sees it: this is what DNS and routers could do.
EVERBEARER_WRONG_SERVER is the wrong server's port.
"""

import asyncio
import ipaddress
import os

_WRONG = int(os.environ["EVERBEARER_WRONG_SERVER"])
_open_connection = asyncio.open_connection


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def open_connection(host, port, **options):
    """Open a connection as this network would."""
    if not _is_loopback(host):
        host, port = "127.0.0.1", _WRONG
    return await _open_connection(host, port, **options)


asyncio.open_connection = open_connection
print("wrong_network.py is in force", flush=True)  # noqa: T201 - tests wait for it
