"""Several processes that serve as one: nobody notices that one comes or goes."""

from __future__ import annotations

import os
import signal
from urllib.parse import urlsplit

import pytest

from harness import Place, Proxy, Sandbox
from team import ME, PATIENCE, Team, asking, one_of_each, refused
from tunnel import Tunnel, crowd

TOKEN = "/oauth2/token"
MIB = 1024 * 1024


def test_both_serve_with_one_renewal(team: Team, sandbox: Sandbox):
    """Whoever answers, there is one token request at the start, one after a 401."""
    for count in (1, 2):
        with crowd(team) as many:
            waiting = [many.send("GET", f"{ME}?n={n}") for n in range(40)]
            answers = [each.result() for each in waiting]
        assert {answer.status for answer in answers} == {200}
        served = {int(answer.fields["x-process"]) for answer in answers}
        assert served == team.workers()
        assert len(sandbox.token_requests()) == count
        sandbox.revoke()


def test_a_worker_that_leaves_loses_nothing(team: Team, sandbox: Sandbox):
    """
    SIGTERM to one after the other, under load: every request is answered.

    One that waits for its answer gets it, and a kept connection is told that it
    ends.
    """
    with asking(team, 8) as many:
        many.more(20)
        for turn in range(1, 5):
            held = sandbox.hold(path="/2.0/folders/0")
            with one_of_each(team) as tunnels:
                leaving, tunnel = tunnels.popitem()
                tunnel.begin("GET", "/2.0/folders/0")
                sandbox.wait(turn, path="/2.0/folders/0")
                os.kill(leaving, signal.SIGTERM)
                many.more(50)
                sandbox.release(held)
                last = tunnel.answer()
                assert last.status == 200
                assert last.fields["connection"] == "close"
            team.process.wait_for(
                rf"(?s)(worker \d ended \(exit code 0\).*?){{{turn}}}"
            )
            team.complete(turn + 1)
            assert leaving not in team.workers()
        count = many.end()

    assert set(count) == {"200"}, count


def test_a_worker_that_is_killed_is_replaced(team: Team):
    """What it was answering is lost, a request of each client at most, no more."""
    with asking(team, 8) as many:
        for turn in range(1, 4):
            many.more(50)
            os.kill(min(team.workers()), signal.SIGKILL)
            team.process.wait_for(rf"(?s)(worker \d ended \(SIGKILL\).*?){{{turn}}}")
            team.complete(turn + 1)
        many.more(50)
        count = many.end()

    assert count["200"] >= 200
    assert count.total() - count["200"] <= 3 * 8, count
    assert set(count) - {"200"} <= {
        "IncompleteRead",
        "RemoteDisconnected",
        "ConnectionResetError",
        "SSLEOFError",
        "SSLZeroReturnError",
    }


def test_all_leave_after_what_is_under_way(team: Team, sandbox: Sandbox):
    """SIGTERM to the parent: who waits is answered, nobody else is let in, exit 0."""
    held = sandbox.hold(path="/2.0/folders/0")
    with one_of_each(team) as tunnels:
        for tunnel in tunnels.values():
            tunnel.begin("GET", "/2.0/folders/0")
        sandbox.wait(2, path="/2.0/folders/0")
        team.process.child.send_signal(signal.SIGTERM)
        refused(team)
        sandbox.release(held)
        assert [each.answer().status for each in tunnels.values()] == [200, 200]

    assert team.process.child.wait(PATIENCE) == 0
    assert "Traceback" not in team.process.output


def test_a_slow_reader_gets_all_of_its_answer(team: Team, sandbox: Sandbox):
    """A download is read to its end after everybody was told to leave."""
    file = sandbox.call("POST", "files", {"size": 32 * MIB})
    with Tunnel(team) as tunnel:
        found = tunnel.ask("GET", f"/2.0/files/{file['id']}/content")
    there = urlsplit(found.fields["location"])
    with Tunnel(team, there.hostname) as tunnel:
        tunnel.begin("GET", f"{there.path}?{there.query}")
        sandbox.wait(1, path=there.path)
        team.process.child.send_signal(signal.SIGTERM)
        refused(team)
        assert len(tunnel.answer().body) == 32 * MIB

    assert team.process.child.wait(PATIENCE) == 0


def test_a_tunnel_without_a_request_holds_nobody_up(team: Team):
    """Opened ahead of time, or kept: neither is what is still under way."""
    with Tunnel(team) as ahead, Tunnel(team) as kept:
        ahead.open()
        assert kept.ask("GET", ME).status == 200
        team.process.child.send_signal(signal.SIGTERM)
        assert team.process.child.wait(PATIENCE) == 0

    assert "cut off" not in team.process.output


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_renewal_under_way_is_saved(
    place: Place, sandbox: Sandbox, team: Team, how: signal.Signals
):
    """Stopped by either signal while a redeem is under way: its pair is kept."""
    held = sandbox.hold(path=TOKEN)
    with crowd(team) as many:
        many.send("GET", ME)
        sandbox.wait(1, path=TOKEN)
        # As a terminal does it, and a service manager: to everybody.
        for each in (team.process.child.pid, *team.workers()):
            os.kill(each, how)
        refused(team)
        sandbox.release(held)
        assert team.process.child.wait(PATIENCE) == 0

    again = Proxy(place, sandbox.state / "refresh_token.toml")
    with Tunnel(again) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
    assert [entry["status"] for entry in sandbox.token_requests()] == [200]
