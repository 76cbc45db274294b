"""everbearer as a script of mitmproxy's, while it is not yet in place."""

from mitmproxy.connection import Client

from everbearer.proxy.stock import Everbearer


def test_nobody_is_let_in_before_all_is_in_place():
    """Whatever has stopped the start: a known error, or one that nobody thought of."""
    client = Client(peername=("::1", 1), sockname=("::1", 2), timestamp_start=0)
    Everbearer().client_connected(client)

    assert client.error == "everbearer could not start"
