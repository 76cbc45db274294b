"""The audit log of real processes: each thing that happened is there once."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness import Place, Proxy, Sandbox, Stock
from running import Exec, eventually
from tunnel import Tunnel, crowd

ME = "/2.0/users/me"
URL = f"https://api.box.com{ME}"
TOKEN = "/oauth2/token"


def audited(sandbox: Sandbox, file: Path | str, more: str = "") -> Path:
    """Write a configuration whose log is that file."""
    return sandbox.config(
        "audited", f'\n[audit]\nfile = "{file}"\n{more}', "refresh_token"
    )


def lines(file: Path) -> list[dict[str, Any]]:
    """Return the lines of all files, the oldest first."""
    older = sorted(file.parent.glob(f"{file.name}.*"), key=lambda p: -int(p.suffix[1:]))
    return [
        json.loads(line)
        for each in (*older, file)
        for line in each.read_text().splitlines()
    ]


def turn(proxy: Proxy) -> None:
    """Have the proxy answer what is no event: then earlier ones have been written."""
    with socket.create_connection(("127.0.0.1", proxy.port), 40) as client:
        client.sendall(b"this is no HTTP\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_no_request_is_told_at_length_or_with_a_token(place: Place, sandbox: Sandbox):
    """A long path, a token behind what is no `?` to us: neither log has it whole."""
    file = place.root / "audit.jsonl"
    proxy = Proxy(place, audited(sandbox, file))
    with Tunnel(proxy) as tunnel:
        tunnel.ask("GET", "/2.0/" + "x" * 60_000)
        sandbox.revoke()
        tunnel.ask("GET", "/2.0/" + "y" * 60_000)
        tunnel.ask("GET", f"{ME}#access_token=canary")
        tunnel.ask("GET", f"{ME}%3Faccess_token=canary")
    assert proxy.process.stop() == 0

    found = [each for each in lines(file) if "path" in each]
    assert Counter(each["event"] for each in found) == {"request": 4, "replay": 1}
    assert [each["path"] for each in found[-2:]] == [f"{ME}…"] * 2
    text = file.read_text()
    assert len(text) < 8_000
    assert "canary" not in text + proxy.process.output
    assert len(proxy.process.output) < 8_000


def test_a_run_is_there_once(place: Place, sandbox: Sandbox):
    """Requests, a replay, renewals, a refusal, a reload: what the sandbox saw."""
    file = place.root / "audit.jsonl"
    config = audited(sandbox, file)
    proxy = Proxy(place, config)
    with Tunnel(proxy) as tunnel:
        for n in range(5):
            assert tunnel.ask("GET", f"{ME}?secret={n}").status == 200
        sandbox.revoke()
        assert tunnel.ask("GET", ME).status == 200
        assert tunnel.ask("GET", ME, Everbearer_Profile="nobody").status == 400
    proxy.process.child.send_signal(signal.SIGHUP)
    proxy.process.wait_for("is in force")
    assert proxy.process.stop() == 0

    found = lines(file)

    assert Counter(each["event"] for each in found) == {
        "request": 7,
        "replay": 1,
        "token_request": 2,
        "renewal": 2,
        "configuration": 1,
    }
    requests = [each for each in found if each["event"] == "request"]
    assert [(each["verdict"], each["status"]) for each in requests] == [
        *[("inject", 200)] * 6,
        ("refuse", 400),
    ]
    assert [each["replayed"] for each in requests] == [*[False] * 5, True, False]
    assert {each["client"] for each in requests} == {"127.0.0.1"}
    renewed = [each["token"] for each in found if each["event"] == "renewal"]
    assert [each["token"] for each in requests[:6]] == [renewed[0]] * 5 + [renewed[1]]
    assert "secret" not in file.read_text()


def test_workers_and_commands_share_the_file(place: Place, sandbox: Sandbox):
    """Two workers that rotate it, and a logout: each request is there once."""
    file = place.root / "audit.jsonl"
    config = audited(sandbox, file, "max_size = 4096\nkeep = 100\n")
    proxy = Proxy(place, config, "--workers", "2")
    with crowd(proxy) as many:
        asked = [many.send("GET", f"{ME}/{n}") for n in range(100)]
        statuses = [each.result().status for each in asked]
    assert proxy.process.stop() == 0
    done = place.everbearer("logout", "-c", str(config))
    assert done.returncode == 0, done.stderr

    found = lines(file)

    requests = [each for each in found if each["event"] == "request"]
    assert Counter(each["path"] for each in requests) == {
        f"{ME}/{n}": 1 for n in range(100)
    }
    assert Counter(each["status"] for each in requests) == Counter(statuses)
    assert [each["revoked"] for each in found if each["event"] == "logout"] == [True]
    assert len(list(place.root.glob("audit.jsonl.*"))) > 3


def test_who_kills_the_proxy_hides_nothing_that_came_before(
    place: Place, sandbox: Sandbox
):
    """What was answered before the last request is there after a kill -9."""
    file = place.root / "audit.jsonl"
    proxy = Proxy(place, audited(sandbox, file))
    with Tunnel(proxy) as tunnel:
        for _ in range(4):
            assert tunnel.ask("GET", ME).status == 200
        proxy.process.child.kill()
        assert proxy.process.child.wait(40) == -signal.SIGKILL
    assert sum(each["event"] == "request" for each in lines(file)) >= 3


@pytest.mark.parametrize("by", ["exec", "stock"])
def test_whoever_runs_the_proxy_has_the_last_line(
    place: Place, sandbox: Sandbox, by: str
):
    """A command of its own, and mitmproxy's: it ends, and its requests are there."""
    file = place.root / "audit.jsonl"
    config = audited(sandbox, file)
    if by == "exec":
        done = Exec(place, config).run("curl", "-sS", "-o", "answer", URL)
        assert done.returncode == 0, done.stderr
        eventually(file.exists, "a log")  # the command ends before its proxy
        eventually(lambda: len(lines(file)) == 3, "three lines")
    else:
        stock = Stock(place, config).ready()
        assert stock.curl(URL).status == 200
        assert stock.process.stop() == 0
    found = Counter(each["event"] for each in lines(file))
    assert found == {"token_request": 1, "renewal": 1, "request": 1}


def test_a_file_that_cannot_be_written_loses_no_request(place: Place, sandbox: Sandbox):
    """It is told once; the requests are answered, and the lines after it are there."""
    folder = place.root / "logs"
    proxy = Proxy(place, audited(sandbox, folder / "audit.jsonl"))
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        turn(proxy)
        folder.rename(place.root / "moved")
        folder.write_text("in the way")
        for _ in range(3):
            assert tunnel.ask("GET", ME).status == 200
        turn(proxy)
        folder.unlink()
        assert tunnel.ask("GET", ME).status == 200
        turn(proxy)
    said = proxy.process.wait_for("the audit log is written again, 3 lines lost")
    assert said
    assert proxy.process.output.count("the audit log cannot be written") == 1
    kinds = [each["event"] for each in lines(folder / "audit.jsonl")]
    assert kinds == ["lines_lost", "request"]


def test_a_file_that_cannot_leave_its_name_has_every_line(
    place: Place, sandbox: Sandbox
):
    """It is told once, with what to do; requests and lines go on."""
    file = place.root / "audit.jsonl"
    (place.root / "audit.jsonl.1" / "full").mkdir(parents=True)
    config = audited(sandbox, file, "max_size = 4096\nkeep = 1\n")
    proxy = Proxy(place, config)
    with Tunnel(proxy) as tunnel:
        for n in range(30):
            tunnel.ask("GET", f"{ME}/{n}")
    assert proxy.process.stop() == 0
    found = [json.loads(each) for each in file.read_text().splitlines()]
    asked = [each["path"] for each in found if each["event"] == "request"]
    assert asked == [f"{ME}/{n}" for n in range(30)]
    assert proxy.process.output.count("the audit log cannot leave") == 1
    assert "audit.jsonl.1 and so on have to be files" in proxy.process.output


def test_a_pipe_in_the_place_of_the_log_holds_nobody_up(place: Place, sandbox: Sandbox):
    """`renew` tells that it has no log and renews; a proxy does not start."""
    file = place.root / "audit.jsonl"
    os.mkfifo(file, 0o600)
    config = audited(sandbox, file)
    renewed = place.everbearer("renew", "-c", str(config))
    assert renewed.returncode == 0, renewed.stderr
    assert f"its lines are lost: {file} is not a regular file" in renewed.stderr
    done = place.everbearer("serve", "-c", str(config), "--listen", "127.0.0.1:0")
    assert done.returncode == 2
    assert f"audit.file: {file} is not a regular file" in done.stderr


@pytest.mark.parametrize("by", ["serve", "stock"])
def test_a_proxy_does_not_start_without_its_log(
    place: Place, sandbox: Sandbox, by: str
):
    """Where the file cannot be made there is an error, and no proxy."""
    (place.root / "folder").write_text("in the way")
    config = audited(sandbox, place.root / "folder" / "audit.jsonl")
    if by == "stock":
        stock = Stock(place, config)
        stock.process.wait_for("audit.file: cannot be written")
        assert stock.process.child.wait(40) != 0
        return
    done = place.everbearer("serve", "-c", str(config), "--listen", "127.0.0.1:0")
    assert done.returncode == 2
    assert "audit.file: cannot be written: not a directory" in done.stderr
