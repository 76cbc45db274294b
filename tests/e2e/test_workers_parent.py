"""The parent of several workers: what it starts, and what it does when they fail."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys

import pytest

from harness import Place, Proxy, Sandbox, curl
from ports import unused_port
from team import ME, Team, one_of_each, refused, wait_until_gone
from tunnel import Tunnel


def test_workers_leave_when_their_parent_is_killed(place: Place, sandbox: Sandbox):
    """Nobody is left behind, and the address is free for who is started again."""
    config = sandbox.state / "refresh_token.toml"
    team = Team(place, config)
    workers = team.workers()
    with Tunnel(team) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
    team.process.child.kill()
    team.process.child.wait()
    refused(team)
    for each in workers:
        wait_until_gone(each)

    again = Proxy(place, config, listen=f"127.0.0.1:{team.port}")
    with Tunnel(again) as tunnel:
        assert tunnel.ask("GET", ME).status == 200


def test_a_reload_reaches_everybody(team: Team, sandbox: Sandbox):
    """SIGHUP to the parent: both go by the new file, and it is told once."""
    config = sandbox.state / "refresh_token.toml"
    text = config.read_text()
    rule = '\n[[rules]]\nhosts = ["api.box.com"]\naction = "refuse"\n'
    config.write_text(text + rule)
    team.process.child.send_signal(signal.SIGHUP)
    team.process.wait_for("is in force")

    for _ in range(40):
        with Tunnel(team) as tunnel:
            answer = tunnel.ask("GET", ME)
            assert answer.status != 200, answer
    assert len(re.findall("is in force", team.process.output)) == 1


def test_a_worker_does_not_start_with_an_older_configuration(
    team: Team, sandbox: Sandbox
):
    """As long as the file cannot be read only the others serve, by the last good."""
    config = sandbox.state / "refresh_token.toml"
    good = config.read_text()
    config.write_text(good + "\n[nonsense]\n")
    team.process.wait_for("the old configuration stays in force")
    os.kill(min(team.workers()), signal.SIGKILL)
    team.process.wait_for(r"worker \d ended \(exit code 2\)")

    with Tunnel(team) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
    config.write_text(good)
    team.complete(2)
    with one_of_each(team) as tunnels:
        assert len(tunnels) == 2


def test_what_keeps_the_first_from_serving_is_told_once(place: Place, sandbox: Sandbox):
    """One error, its exit code, and no worker left."""
    config = sandbox.state / "refresh_token.toml"
    done = place.everbearer(
        *("serve", "-c", str(config), "--listen", "127.0.0.1:0", "--workers", "3"),
        *("--", "-w", "flows"),
    )
    assert done.returncode == 2
    assert done.stderr.count("error:") == 1
    assert "several workers would write one file" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "store", "why"),
    [
        (("--ui", "web"), "", "shows one process"),
        ((), "memory:", "share a store"),
    ],
)
def test_what_workers_cannot_share_is_refused(
    place: Place, sandbox: Sandbox, arguments: tuple[str, ...], store: str, why: str
):
    """An interface of one process; a store that each would have for itself."""
    config = sandbox.state / "refresh_token.toml"
    if store:
        text = re.sub(r"(?s)\[store\].*?(?=\n\[)", "", config.read_text())
        config.write_text(f'{text}\n[store]\nurl = "{store}"\n')
    done = place.everbearer("serve", "-c", str(config), "--workers", "2", *arguments)
    assert done.returncode == 2
    assert why in done.stderr


def test_who_takes_a_place_listens_where_the_others_do(place: Place, sandbox: Sandbox):
    """Listeners take a restart: one that starts after an edit goes by the old ones."""
    listener = '\n[[listeners]]\naddress = "{}"\nreverse = "https://api.box.com"\n'
    old, new = (f"127.0.0.1:{unused_port()}" for _ in range(2))
    config = sandbox.config("listeners", listener.format(old), "refresh_token")
    team = Team(place, config)
    config.write_text(config.read_text().replace(old, new))
    team.process.wait_for("is in force, but for: listeners")
    before = team.workers()
    for turn, each in enumerate(before, 2):
        os.kill(each, signal.SIGKILL)
        team.complete(turn)

    with one_of_each(team) as tunnels:
        assert not before & set(tunnels)
    assert curl(f"http://{old}{ME}").status == 200
    assert curl(f"http://{new}{ME}").status == 0


def test_a_worker_that_cannot_be_started_is_tried_again(team: Team):
    """The parent is out of files: the others serve, and it waits for better times."""
    parent = team.process.child.pid
    before = resource.prlimit(parent, resource.RLIMIT_NOFILE)
    resource.prlimit(parent, resource.RLIMIT_NOFILE, (3, before[1]))
    os.kill(min(team.workers()), signal.SIGKILL)
    team.process.wait_for(r"worker \d cannot be started: too many open files")
    with Tunnel(team) as tunnel:
        assert tunnel.ask("GET", ME).status == 200

    resource.prlimit(parent, resource.RLIMIT_NOFILE, before)
    team.complete(2)
    with one_of_each(team) as tunnels:
        assert len(tunnels) == 2


def script(place: Place, line: str) -> tuple[str, str]:
    """Have mitmproxy run *line* while it starts."""
    path = place.root / "script.py"
    path.write_text(f"import os, signal\n{line}\n")
    return "-s", str(path)


def test_a_first_worker_that_is_killed_is_told(place: Place, sandbox: Sandbox):
    """Who kills it (for the memory it takes) says nothing: the parent does."""
    done = place.everbearer(
        *("serve", "-c", str(sandbox.state / "refresh_token.toml")),
        *("--listen", "127.0.0.1:0", "--workers", "2", "--"),
        *script(place, "os.kill(os.getpid(), signal.SIGKILL)"),
    )
    assert done.returncode == 1
    assert "worker 1 ended (SIGKILL) before it served" in done.stderr


def test_a_terminal_that_closes_ends_no_worker(place: Place, sandbox: Sandbox):
    """SIGHUP goes to all of them, also to those that are not yet so far."""
    config = sandbox.state / "refresh_token.toml"
    line = "os.kill(os.getpid(), signal.SIGHUP)"
    team = Proxy(place, config, "--workers", "2", mitmproxy=script(place, line))
    team.process.wait_for("2 workers serve")


def test_quiet_parents_tell_what_goes_wrong_alone(place: Place, sandbox: Sandbox):
    """`-q`: that all serve is no warning; that one was killed is."""
    done = place.run(
        *(sys.executable, "-m", "everbearer", "serve", "-q", "--workers", "2"),
        *("-c", str(sandbox.state / "refresh_token.toml")),
        *("--listen", "127.0.0.1:0", "--"),
        *script(place, "def running(): print('here', os.getpid(), flush=True)"),
    )
    first = done.wait_for(r"(?s)here (\d+).*here")[1]
    os.kill(int(first), signal.SIGKILL)
    done.wait_for(r"warning: worker \d ended \(SIGKILL\)")
    done.wait_for(r"(?s)(here.*?){3}")
    assert done.stop() == 0
    assert "workers serve" not in done.output
