"""What running proxies have served is told by `status`, live on a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from everbearer.cli.served import Served, served
from everbearer.events import Exchanged, Renewed

SOURCE, OTHER = Path("/etc/everbearer.toml"), Path("/home/ada/other.toml")


def exchanged(profile: str, verdict: str = "inject") -> Exchanged:
    """Return a request that has ended."""
    return Exchanged(1.0, "GET", "h", "/", 200, profile, verdict, "fresh", 0.1)


def test_requests_with_a_token_are_counted_by_profile(tmp_path):
    """Those of every proxy with that configuration together, and no others."""
    with (
        Served(SOURCE, tmp_path) as one,
        Served(SOURCE, tmp_path) as two,
        Served(OTHER, tmp_path) as three,
    ):
        for count, profile in ((one, "dev"), (one, "dev"), (two, "dev"), (two, "jwt")):
            count(exchanged(profile))
        three(exchanged("dev"))
        one(exchanged("dev", "refuse"))
        one(Renewed(1.0, "dev", "first", "f", 2.0, 0.1))
        assert served(SOURCE, tmp_path) == Counter(dev=3, jwt=1)
        assert served(OTHER, tmp_path) == Counter(dev=1)


def test_without_a_proxy_there_are_no_counts(tmp_path):
    """None, and no 0 that would say that one runs; an end leaves nothing behind."""
    assert served(SOURCE, tmp_path / "none") is None
    with Served(SOURCE, tmp_path):
        assert served(SOURCE, tmp_path) == Counter()
    assert served(SOURCE, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_harms_nobody(tmp_path):
    """Nothing is counted, and the proxy serves."""
    (tmp_path / "file").touch()
    with Served(SOURCE, tmp_path / "file" / "x") as count:
        count(exchanged("dev"))
    assert served(SOURCE, tmp_path / "file" / "x") is None


def test_more_profiles_than_there_are_places_harm_nobody(tmp_path):
    """Those that have a place go on being counted."""
    with Served(SOURCE, tmp_path) as count:
        for number in range(300):
            count(exchanged(f"p{number}"))
        count(exchanged("p0"))
        counts = served(SOURCE, tmp_path)
    assert counts is not None
    assert (len(counts), counts["p0"]) == (256, 2)


@pytest.mark.real
def test_what_a_crash_left_is_removed(tmp_path):
    """A proxy that was killed counts no more."""
    program = (
        "import sys, signal, os; from everbearer.cli.served import Served; "
        "from pathlib import Path; "
        "kept = Served(Path('/etc/everbearer.toml'), Path(sys.argv[1])); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    assert served(SOURCE, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_status_tells_what_a_running_proxy_served(box):
    """While the proxy runs its requests are in the table, afterwards there are none."""
    proxy = box.stage.everbearer(
        *["serve", "-c", "box/all.toml", "--listen", "127.0.0.1:0"],
        *["--", "--set", "confdir=mitmproxy"],
    )
    try:
        port = proxy.wait_for(r"listening on 127\.0\.0\.1:(\d+), as a proxy")[1]
        for _ in range(2):
            subprocess.run(
                [
                    *["curl", "-sf", "-x", f"http://127.0.0.1:{port}"],
                    *["--cacert", "mitmproxy/mitmproxy-ca-cert.pem"],
                    *["-H", "Everbearer-Profile: jwt"],
                    "https://api.box.com/2.0/users/me",
                ],
                cwd=box.folder,
                check=True,
                capture_output=True,
            )
        out = box.stage.output("status", "-c", "box/all.toml")
        assert [line.split()[-1] for line in out.splitlines()[1:]] == list("0200")
    finally:
        box.stage.stop(proxy)
    out = box.stage.output("status", "-c", "box/all.toml")
    assert {line.split()[-1] for line in out.splitlines()[1:]} == {"-"}


def test_watch_shows_the_table_until_it_is_interrupted(box):
    """On a terminal; Ctrl-C is the way out and no failure."""
    terminal, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "everbearer", "status", "--watch", "-c", "box/all.toml"],
        cwd=box.folder,
        env=box.stage.env | {"TERM": "xterm", "COLUMNS": "160", "LINES": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # Background shells ignore SIGINT, which is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    os.close(theirs)
    seen = b""
    while b"devtoken" not in seen:
        seen += os.read(terminal, 4096)
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 0
    os.close(terminal)


def test_watch_wants_a_terminal(typed):
    """In a pipe it is refused: a program asks as often as it likes."""
    told = typed("status --watch -c box/all.toml")
    assert told.code == 2
    assert "--watch shows a table on a terminal" in told.err


def test_who_comes_after_counts_on(tmp_path):
    """A worker that takes another's place goes on with what that one counted."""
    with Served(SOURCE, tmp_path) as one:
        one(exchanged("dev"))
        one(exchanged("jwt"))
        vars(one)["_places"] = {}  # as in a process that was forked before
        one(exchanged("jwt"))
        one(exchanged("ccg"))
        assert served(SOURCE, tmp_path) == Counter(dev=1, jwt=2, ccg=1)
