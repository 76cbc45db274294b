"""One dashboard for all workers, whoever serves and whoever is replaced."""

from __future__ import annotations

import os
import signal

import pytest

from harness import Place, Sandbox
from team import ME, PATIENCE, Team, one_of_each
from watcher import Stream, Watcher

PATHS = ("/2.0/folders/0", "/2.0/folders/0/items")


@pytest.fixture
def watcher(place: Place, team: Team, sandbox: Sandbox) -> Watcher:
    """Give somebody who has opened the dashboard of a team."""
    return Watcher(place, team, sandbox.state / "refresh_token.toml").enter()


def test_requests_of_all_workers_are_shown(team: Team, watcher: Watcher):
    """Each with its story, whichever worker served it."""
    stream = Stream(watcher)
    with one_of_each(team) as tunnels:
        for path, tunnel in zip(PATHS, tunnels.values(), strict=True):
            assert tunnel.ask("GET", path).status == 200
    for path in PATHS:
        stream.wait_for(f'"path":"{path}"')
    rows = {row["path"]: row for row in watcher.state["requests"]}
    for path in PATHS:
        story = watcher.get(f"/api/requests/{rows[path]['id']}")
        assert story["steps"][0]["stage"] == "who asks"
    assert watcher.state["instance"]["workers"] == 2
    stream.close()


def test_a_replaced_worker_serves_it_again(team: Team, watcher: Watcher):
    """Killed, whichever it was: the same address, the same session, no old link."""
    used = watcher.link()
    assert watcher.ask("GET", used)[0] == 303
    for turn, victim in enumerate(sorted(team.workers())):
        os.kill(victim, signal.SIGKILL)
        team.complete(turn + 2)
        assert watcher.state["profiles"]
        assert watcher.ask("GET", used)[0] == 403
    assert watcher.ask("GET", watcher.link())[0] == 303
    with one_of_each(team) as tunnels:
        for tunnel in tunnels.values():
            assert tunnel.ask("GET", ME).status == 200


def test_a_watcher_does_not_keep_a_worker_from_leaving(team: Team, watcher: Watcher):
    """SIGTERM to each, and then to all: nobody waits for who reads the stream."""
    for turn, leaving in enumerate(sorted(team.workers())):
        stream = Stream(watcher)
        stream.wait_for("event: state")
        os.kill(leaving, signal.SIGTERM)
        team.complete(turn + 2)
        stream.close()
    stream = Stream(watcher)
    stream.wait_for("event: state")
    team.process.child.send_signal(signal.SIGTERM)
    assert team.process.child.wait(PATIENCE) == 0
    assert stream.ended()
    stream.close()
    assert "cut off" not in team.process.output
    assert "Traceback" not in team.process.output


def test_no_worker_lets_a_client_reach_it(team: Team, watcher: Watcher):
    """It is a control port of all of them, though one serves it."""
    for _ in range(12):
        url = f"http://127.0.0.1:{watcher.port}/api/state"
        found = team.curl("-b", watcher.cookie, url)
        assert found.status != 200
        assert b"profiles" not in found.body
