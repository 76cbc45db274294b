"""A script that tells in each answer which process gave it."""

import os

from mitmproxy.http import HTTPFlow


def responseheaders(flow: HTTPFlow) -> None:
    """Say it."""
    flow.response.headers["X-Process"] = str(os.getpid())
