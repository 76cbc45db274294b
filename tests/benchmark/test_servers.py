"""The resource servers of the benchmark answer nobody without the token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark import nginx, stage
from benchmark.asked import BODY, PATH
from benchmark.lines import MeasureError, Way, crowd, line, trusting
from benchmark.origin_process import Origin
from benchmark.stage import Server, Stage, resource_server
from needs import lack

pytestmark = pytest.mark.real


@pytest.fixture(params=["nginx", "our own"])
def server(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Stage, Server]]:
    """Give each kind of resource server, and what it stands on."""
    if request.param == "our own":
        monkeypatch.setattr(nginx, "program", lambda: None)
    elif nginx.program() is None:
        lack("nginx", "nginx is not installed")
    made = Stage(tmp_path)
    try:
        yield made, resource_server(made)
    finally:
        made.close()


def ask(made: Stage, port: int, fields: str) -> None:
    """Ask the server itself; MeasureError unless it is content."""
    trust = trusting(made.trust.authority)
    way = Way(("127.0.0.1", port), f"localhost:{port}", tls=trust, fields=fields)
    with crowd() as alone, line(alone, way) as mine:

        def talk():
            yield from mine.open()
            yield from mine.ask(way.request("GET", PATH), BODY)

        alone.start([talk()])
        alone.run()


def test_only_the_token_is_answered(server: tuple[Stage, Server]):
    """No token and another token: 401. The one that everbearer has: 200."""
    made, there = server

    ask(made, there.port, f"Authorization: Bearer {there.token}\r\n")

    for other in ("", "Authorization: Bearer other\r\n", "Authorization: Bearer\r\n"):
        with pytest.raises(MeasureError, match=r"not 200: .* 401 "):
            ask(made, there.port, other)


def test_a_revoked_token_is_refused(tmp_path: Path):
    """After a revocation a token is refused by our own server."""
    made = Stage(tmp_path)
    try:
        origin = Origin(made)
        token = made.token(made.config(origin.port, stage.two_ports()))
        fields = f"Authorization: Bearer {token}\r\n"
        ask(made, origin.port, fields)
        origin.tell("revoke")
        with pytest.raises(MeasureError, match=r"not 200: .* 401 "):
            ask(made, origin.port, fields)
        assert origin.tell("counts") == {"issued": 1, "refused": 1, "polls": 0}
    finally:
        made.close()
