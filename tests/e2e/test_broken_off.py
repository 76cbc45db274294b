"""Exchanges that are broken off: what the log says of them is what the client got."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from by_hand import Line
from flowing import PATH, WAYS, Flowing, flowing

type Play = Callable[[Flowing, Line, str], None]


def server_leaves(stage: Flowing, client: Line, way: str) -> None:
    """Give the server all of it, and no answer."""
    client.send(stage.head(way, "GET"))
    server = stage.server.line()
    server.head()
    server.end()


def server_leaves_in_an_upload(stage: Flowing, client: Line, way: str) -> None:
    """Give no answer, while the client is not ready yet."""
    client.send(stage.head(way, "POST", "Content-Length: 100000000") + b"x" * 70_000)
    server = stage.server.line()
    server.head()
    server.end()


def client_is_mistaken(stage: Flowing, client: Line, way: str) -> None:
    """Send as a chunk's length what is no number."""
    client.send(stage.head(way, "POST", "Transfer-Encoding: chunked") + b"moo\r\n")
    assert client.ended()


def client_leaves(stage: Flowing, client: Line, way: str) -> None:
    """Leave nobody who could be answered."""
    client.send(stage.head(way, "GET"))
    stage.server.line().head()
    client.end()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("play", "status"),
    [
        (server_leaves, 502),
        (server_leaves_in_an_upload, 502),
        (client_is_mistaken, 0),
        (client_leaves, 0),
    ],
)
def test_the_status_is_what_the_client_got(
    tmp_path: Path, play: Play, status: int, way: str
):
    """Where the server fails mitmproxy answers by itself, and else nobody does."""
    file = tmp_path / "audit.jsonl"
    with flowing(tmp_path, f'\n[audit]\nfile = "{file}"\n') as stage:
        with stage.client(way) as client:
            play(stage, client, way)
            if status:
                assert client.head().startswith(f"HTTP/1.1 {status} ".encode())
        stage.proxy.process.wait_for(rf"{PATH}\S* {status or 'closed'} ")
        assert stage.proxy.process.stop() == 0
    lines = map(json.loads, file.read_text().splitlines())
    told = [each["status"] for each in lines if each["event"] == "request"]
    assert told[-1:] == [status]
