"""What is kept of a body for a replay is gone with the request, or with the proxy."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from by_hand import Line
from flowing import Flowing, flowing
from needs import need_proc
from running import eventually

MIB = 1024 * 1024
SIZE = 8 * MIB
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Return the proxy's own folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def stage(tmp_path: Path, temporary: Path) -> Iterator[Flowing]:
    """Start a proxy and the server behind it."""
    with flowing(tmp_path, TMPDIR=str(temporary)) as made:
        yield made


def spooled(stage: Flowing, temporary: Path) -> int:
    """Return how many bytes lie in open files of the folder, all without a name."""
    files = need_proc(Path(f"/proc/{stage.proxy.process.child.pid}/fd"))
    size = 0
    for link in files.iterdir():
        try:
            target = str(link.readlink())
            if target.startswith(str(temporary)) or "memfd" in target:
                assert target.endswith("(deleted)")
                size += link.stat().st_size
        except FileNotFoundError:
            continue  # closed meanwhile
    return size


def uploading(stage: Flowing, client: Line) -> Line:
    """Send all but one byte of an upload; return the server, which has them."""
    length = f"Content-Length: {SIZE + 1}"
    client.send(stage.head("explicit", "POST", length) + bytes(SIZE))
    server = stage.server.line()
    server.head()
    assert server.exactly(SIZE)
    return server


def test_a_spool_has_no_name_and_ends_with_its_request(stage: Flowing, temporary: Path):
    """The copy is in a file that was unlinked at its birth, until the answer."""
    with stage.client() as client:
        server = uploading(stage, client)
        assert spooled(stage, temporary) >= SIZE - MIB
        assert not list(temporary.iterdir())

        client.send(b"x")
        assert server.exactly(1)
        server.send(OK)
        assert client.head().startswith(b"HTTP/1.1 200 ")

        eventually(lambda: not spooled(stage, temporary), "the spool is closed")


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_spool_ends_with_its_connection(stage: Flowing, temporary: Path, who: str):
    """Whoever leaves in the midst of an upload: its copy is dropped."""
    with stage.client() as client:
        server = uploading(stage, client)
        assert spooled(stage, temporary)

        (client if who == "client" else server).end()

        eventually(lambda: not spooled(stage, temporary), "the spool is closed")


def test_nothing_is_left_of_a_proxy_that_was_killed(stage: Flowing, temporary: Path):
    """Kill -9 in the midst of an upload leaves no file behind."""
    with stage.client() as client:
        uploading(stage, client)
        assert spooled(stage, temporary)

        stage.proxy.process.stop(signal.SIGKILL)

        assert not list(temporary.iterdir())
