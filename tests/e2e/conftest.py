"""Fixtures for end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Place, Proxy, Sandbox
from ports import unused_port
from team import Team
from toy_server import ToyServer
from watcher import Watcher


@pytest.fixture(autouse=True)
def _real(real: None) -> None:
    """Mark everything in this folder."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a folder and a home of its own; end what was started in it."""
    here = Place(tmp_path)
    try:
        yield here
    finally:
        here.close()


@pytest.fixture
def sandbox(place: Place) -> Sandbox:
    """Start a sandbox with tokens that live an hour."""
    return Sandbox(place)


@pytest.fixture
def team(place: Place, sandbox: Sandbox) -> Team:
    """Give a team with a grant that rotates."""
    return Team(place, sandbox.state / "refresh_token.toml")


@pytest.fixture
def free_port() -> int:
    """Return a port that nobody listens on."""
    return unused_port()


@pytest.fixture
def ports() -> tuple[int, int]:
    """Return two ports that nobody listens on."""
    return unused_port(), unused_port()


@pytest.fixture
def server(place: Place) -> Iterator[ToyServer]:
    """Start a server that checks the toy scheme's signatures."""
    toy = ToyServer(place.root)
    yield toy
    toy.close()


@pytest.fixture
def config(sandbox: Sandbox) -> Path:
    """Give a configuration with every grant."""
    return sandbox.state / "all.toml"


@pytest.fixture
def proxy(place: Place, config: Path) -> Proxy:
    """Start a proxy of it, with its dashboard."""
    return Proxy(place, config)


@pytest.fixture
def watcher(place: Place, proxy: Proxy, config: Path) -> Watcher:
    """Give somebody who has opened its dashboard."""
    return Watcher(place, proxy, config).enter()
