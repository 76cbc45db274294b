"""What a server says to the open questions, whatever it says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from everbearer.doctor.live import QUESTIONS, Live, asked
from everbearer.policy.hosts import HostPattern
from everbearer.policy.rules import Action, Rule
from everbearer.renewal.wire import Heard
from everbearer.secret import Secret

RULE = Rule(
    label="uploads",
    hosts=(HostPattern.parse("upload-*.app.box.com"),),
    action=Action.INJECT,
    profiles=("dev",),
)
(UPLOADS,) = (each for each in QUESTIONS if "upload-*" in each.name)


class Server:
    """Stands for the wire and for the broker; answers everything with one body."""

    settings = SimpleNamespace(rules=(RULE,))

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked = []

    async def credential(self, _: str) -> SimpleNamespace:
        """Return a credential."""
        return SimpleNamespace(token=SimpleNamespace(value=Secret("t0ken")))

    async def ask(self, method, url, fields, body) -> Heard:
        """Note the address."""
        del method, fields, body
        self.asked.append(url)
        return Heard(200, {}, self.body, 0)


async def found(server: Server) -> dict:
    """Ask where an upload goes."""
    return await asked(Live(SimpleNamespace(name="dev"), server, server), UPLOADS)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"",
        b"[]",
        b"{}",
        b'{"upload_url": 7}',
        b'{"upload_url": "http://upload-las.app.box.com/"}',
        b'{"upload_url": "https://upload-las.app.box.com:99999/"}',
        b'{"upload_url": "https://upload-las.app.box.com:8443/"}',
        b'{"upload_url": "https://[upload-las.app.box.com/"}',
        b'{"upload_url": "https://upload-\\ud800.app.box.com/"}',
        b'{"upload_url": "https://evil.test/"}',
    ],
)
async def test_an_address_that_cannot_be_read_is_not_asked(body):
    """Nor is one that gets no token; the question has its answer all the same."""
    server = Server(body)
    assert "not asked" in await found(server)
    assert len(server.asked) == 1


async def test_the_host_of_an_upload_is_asked_for_nothing_that_exists():
    """By its name alone: path and query of the address are left."""
    server = Server(b'{"upload_url": "https://Upload-LAS.app.box.com/x?secret"}')
    assert (await found(server))["host"] == "upload-las.app.box.com"
    session = "https://upload-las.app.box.com/api/2.0/files/upload_sessions/0"
    assert server.asked[1:] == [session, session]
