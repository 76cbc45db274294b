"""Loads mitmproxy with its own deprecation warnings left to it; gives hooks."""

import warnings
from collections.abc import AsyncIterator, Iterator

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import mitmproxy.master  # noqa: F401 - for its effect

from proxy.door_stage import Here, door_stage
from proxy.mitmproxys_own import put_back


@pytest.fixture
async def here() -> AsyncIterator[Here]:
    """Give hooks where alice is the one user."""
    async with door_stage() as here:
        yield here


@pytest.fixture(autouse=True)
def _mitmproxys_own() -> Iterator[None]:
    """Let what a test puts into mitmproxy's place be gone after it."""
    yield
    put_back()
