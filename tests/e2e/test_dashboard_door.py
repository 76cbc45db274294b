"""Who gets into the dashboard of a real proxy, and by which way."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import stat
from collections import deque
from pathlib import Path

import pytest

from everbearer.dashboard.visitors import AT_ONCE, CONNECTIONS
from harness import Place, Proxy, Sandbox
from watcher import Stream, Watcher

ME = "https://api.box.com/2.0/users/me"


def test_a_link_lets_in_once(place: Place, proxy: Proxy, config: Path):
    """Nobody without one, nobody by a used one; the cookie is no script's."""
    watcher = Watcher(place, proxy, config)
    for target in ("/", "/api/state", "/api/events", "/api/requests/x", "/x"):
        assert watcher.ask("GET", target)[0] == 403
    assert watcher.wants("ccg", "renew")[0] == 403
    for wrong in ("/open", "/open?ticket=", "/open?ticket=1.2.3", "/open?ticket=a&b=c"):
        assert watcher.ask("GET", wrong)[0] == 403
    link = watcher.link()
    assert watcher.ask("HEAD", link)[0] == 403  # who looks ahead does not use it up
    status, fields, _ = watcher.ask("GET", link)
    assert (status, fields["location"]) == (303, "/")
    assert {part.strip() for part in fields["set-cookie"].split(";")[1:]} == {
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
    }
    assert watcher.ask("GET", link)[0] == 403
    watcher.cookie = fields["set-cookie"].partition(";")[0]
    assert watcher.ask("GET", "/api/state")[0] == 200
    watcher.cookie = watcher.cookie[:-1] + ("A" if watcher.cookie[-1] != "A" else "B")
    assert watcher.ask("GET", "/api/state")[0] == 403


def test_the_way_by_a_page_of_the_users_own_files(
    place: Place, proxy: Proxy, config: Path
):
    """A browser does not send the new cookie along with a redirect from there."""
    watcher = Watcher(place, proxy, config)
    status, fields, body = watcher.ask(
        "GET",
        watcher.link(),
        Sec_Fetch_Site="cross-site",
        Sec_Fetch_Mode="navigate",
    )
    assert status == 200
    assert b'http-equiv="refresh" content="0;url=/"' in body
    assert "set-cookie" in fields


def test_web_pages_and_rebound_names_are_refused(proxy: Proxy, watcher: Watcher):
    """With a good cookie even: DNS rebinding, cross-site POST, another origin."""
    assert watcher.ask("GET", "/api/state", host="evil.example")[0] == 421
    assert (
        watcher.ask("GET", "/api/state", host=f"evil.example:{watcher.port}")[0] == 421
    )
    assert watcher.ask("GET", "/api/state", host="api.box.com")[0] == 421
    evil = "https://evil.example"
    assert watcher.ask("GET", "/api/events", Origin=evil)[0] == 403
    for site in ("cross-site", "same-site"):
        assert watcher.ask("GET", "/api/events", Sec_Fetch_Site=site)[0] == 403
        assert watcher.wants("ccg", "renew", Sec_Fetch_Site=site)[0] == 403
    assert watcher.wants("ccg", "renew", Origin=evil)[0] == 403
    assert watcher.wants("ccg", "renew", Origin="null")[0] == 403
    assert watcher.wants("ccg", "renew", Origin="http://127.0.0.1:1")[0] == 403
    assert watcher.wants("ccg", "renew", Origin="")[0] == 403
    assert watcher.wants("ccg", "renew", Everbearer_Dashboard="")[0] == 403
    form = "application/x-www-form-urlencoded"
    assert watcher.wants("ccg", "renew", Content_Type=form)[0] == 415
    assert watcher.ask("OPTIONS", "/api/state", Origin=evil)[0] == 403
    assert watcher.ask("GET", "http://api.box.com/api/state")[0] == 400
    assert watcher.profile("ccg")["token"] == ""


def test_every_answer_is_protected(watcher: Watcher):
    """No inline script, no framing, no sniffing, nothing kept, no other origin."""
    for method, target in (
        *(("GET", t) for t in ("/", "/api/state", "/open", "/api/requests/x", "/nope")),
        *(("PUT", "/"), ("POST", "/"), ("HEAD", "/api/state")),
    ):
        _, fields, _ = watcher.ask(method, target, host="" if target else "x")
        policy = fields["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert fields["x-content-type-options"] == "nosniff"
        assert fields["x-frame-options"] == "DENY"
        assert fields["referrer-policy"] == "no-referrer"
        assert fields["cache-control"] == "no-store"
        assert fields["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in fields
        assert "server" not in fields


def test_no_client_of_the_proxy_reaches_it(proxy: Proxy, watcher: Watcher):
    """By no name, and with no Host that is somebody else's."""
    for host in ("127.0.0.1", "localhost", "127.0.0.1.", "0.0.0.0"):
        for tunnel in ((), ("-p",)):
            found = proxy.curl(
                *tunnel,
                *("-b", watcher.cookie),
                f"http://{host}:{watcher.port}/api/state",
            )
            assert b"profiles" not in found.body, (host, tunnel, found)
            assert found.status != 200
    found = proxy.curl(
        *("-H", "Host: api.box.com", "-b", watcher.cookie),
        f"http://127.0.0.1:{watcher.port}/api/state",
    )
    assert b"profiles" not in found.body
    assert found.status != 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_of_this_machine_is_refused(watcher: Watcher):
    """With the very cookie: the kernel tells whose connection it is."""
    assert watcher.ask("GET", "/api/state")[0] == 200
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setresuid(65534, 65534, 65534)
            status, _, body = watcher.ask("GET", "/api/state")
            code = 0 if status == 403 and b"another user" in body else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


CROWDS = {
    "who say nothing": b"",
    "who begin to ask": b"GET / HTTP/1.1\r\nX: ",
    "who owe a body": b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
    "of programs": b"GET /metrics HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "with a wrong link": b"GET /open?ticket=x HTTP/1.1\r\nHost: HOST\r\n\r\n",
}
"""What comes with each of too many connections."""


@pytest.mark.parametrize("sent", CROWDS.values(), ids=CROWDS)
def test_a_crowd_keeps_neither_the_owner_nor_a_supervisor_out(
    watcher: Watcher, sent: bytes
):
    """It holds more connections than there may be, and opens others meanwhile."""
    stream = Stream(watcher)
    stream.wait_for("event: state")
    said = sent.replace(b"HOST", watcher.authority.encode())
    ready, full = os.pipe()
    more, go = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            # A stranger where that can be: the system tells of an owner's own page
            # that it is his.
            if os.geteuid() == 0:
                os.setresuid(65534, 65534, 65534)
            crowd(watcher.port, said, full, more)
        finally:
            os._exit(1)
    try:
        assert os.read(ready, 1) == b"!"
        for _ in range(10):
            os.write(go, b"!")
            assert watcher.ask("GET", "/healthz")[0] == 200
            os.write(go, b"!")
            assert watcher.ask("GET", "/api/state")[0] == 200
        assert watcher.enter().ask("GET", "/")[0] == 200
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for each in (ready, full, more, go):
            os.close(each)
    assert not stream.has_ended
    stream.close()


def crowd(port: int, said: bytes, full: int, more: int) -> None:
    """Hold too many connections, tell *full*, and open some for each byte of *more*."""
    held: deque[socket.socket] = deque(maxlen=2 * CONNECTIONS)
    for number in itertools.count():
        if number >= 2 * CONNECTIONS and number % AT_ONCE == 0:
            if number == 2 * CONNECTIONS:
                os.write(full, b"!")
            os.read(more, 1)
        one = socket.create_connection(("127.0.0.1", port))
        with contextlib.suppress(OSError):  # it was closed already
            one.send(said)
        held.append(one)


def test_the_command_finds_the_instance_that_runs(
    place: Place, proxy: Proxy, sandbox: Sandbox, config: Path
):
    """None of another configuration, none that was killed; its file is private."""
    other = sandbox.state / "jwt_bearer.toml"
    done = place.everbearer("dashboard", "-c", str(other), "--no-browser")
    assert done.returncode == 1
    assert "no proxy of this user runs" in done.stderr
    (file,) = place.root.glob("home/**/dashboards/*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    proxy.process.child.kill()
    proxy.process.child.wait()
    assert file.exists()
    done = place.everbearer("dashboard", "-c", str(config), "--no-browser")
    assert done.returncode == 1
    assert f"everbearer serve -c {config}" in done.stderr
    assert not file.exists()


def test_the_command_opens_a_browser_in_private(
    place: Place, proxy: Proxy, config: Path
):
    """What the browser is started with leads to the link, and does not hold it."""
    browser = place.root / "browser"
    browser.write_text('#!/bin/sh\necho "BROWSER $1"\ncat "${1#file://}"\n')
    browser.chmod(0o700)
    done = place.everbearer("dashboard", "-c", str(config), BROWSER=str(browser))
    assert done.returncode == 0
    assert "BROWSER file:///" in done.stdout
    assert "/open?ticket=" in done.stdout
    assert "ticket" not in done.stdout.split()[1]
    assert "ticket" not in done.stderr


def test_it_can_be_switched_off(place: Place, sandbox: Sandbox):
    """Nobody listens, and the command says why."""
    config = sandbox.config("off", "\n[dashboard]\nenabled = false\n")
    proxy = Proxy(place, config)
    proxy.process.wait_for("no dashboard")
    assert proxy.curl("-H", "Everbearer-Profile: ccg", ME).status == 200
    done = place.everbearer("dashboard", "-c", str(config), "--no-browser")
    assert done.returncode == 1
    assert "switched off" in done.stderr


def test_a_busy_port_gives_way_only_where_it_is_the_default(
    place: Place, sandbox: Sandbox, config: Path, free_port: int
):
    """Two proxies have two dashboards; an address that is written is meant."""
    first, second = Proxy(place, config), Proxy(place, config)
    ports = {Watcher(place, each, config).port for each in (first, second)}
    assert len(ports) == 2
    listen = f'\n[dashboard]\nlisten = "127.0.0.1:{free_port}"\n'
    written = sandbox.config("written", listen)
    third = Proxy(place, written)
    assert Watcher(place, third, written).enter().port == free_port
    fourth = place.everbearer("serve", "-c", str(written), "--listen", "127.0.0.1:0")
    assert fourth.returncode == 2
    assert "dashboard.listen" in fourth.stderr
    assert "something else listens there" in fourth.stderr
