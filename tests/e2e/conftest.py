"""Fixtures for end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Place, Sandbox
from ports import unused_port
from team import Team
from toy_server import ToyServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)


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
