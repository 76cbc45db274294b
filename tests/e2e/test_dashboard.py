"""The dashboard of a real proxy: what it shows, and to whom."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from canary import Canaries, written
from harness import Place, Proxy, Sandbox
from person import LOOK, Person
from watcher import Stream, Watcher

ME = "https://api.box.com/2.0/users/me"
WATCHING = ("-s", str(Path(__file__).with_name("watching_script.py")))


@pytest.fixture
def config(sandbox: Sandbox) -> Path:
    """Give a configuration with every grant."""
    return sandbox.state / "all.toml"


@pytest.fixture
def proxy(place: Place, config: Path) -> Proxy:
    """Start a proxy with its dashboard."""
    return Proxy(place, config)


@pytest.fixture
def watcher(place: Place, proxy: Proxy, config: Path) -> Watcher:
    """Give somebody who has opened it."""
    return Watcher(place, proxy, config).enter()


def ask(proxy: Proxy, profile: str, *more: str) -> int:
    """Ask for something with a profile, and return the status."""
    return proxy.curl("-H", f"Everbearer-Profile: {profile}", *more, ME).status


def test_a_request_is_shown_with_its_story(
    proxy: Proxy, watcher: Watcher, sandbox: Sandbox
):
    """A 401 is healed: row, steps, the renewal and the replay belong together."""
    assert ask(proxy, "ccg") == 200
    sandbox.revoke()
    assert ask(proxy, "ccg") == 200

    state = watcher.state
    healed, first = state["requests"]
    assert (first["replayed"], healed["replayed"]) == (False, True)
    assert [mark["kind"] for mark in state["marks"]] == [
        *("renewed", "renewed", "replayed", "rejected"),
    ]
    story = watcher.get(f"/api/requests/{healed['id']}")
    assert story["rejected"] == first["token"]
    assert story["renewal"]["cause"] == "rejected"
    assert story["renewal"]["token"] == healed["token"]
    assert story["replay"]["status"] == 200
    assert story["steps"][0]["stage"] == "who asks"
    assert story["steps"][-1]["last"] is True
    lives = [x for x in state["lives"] if x["profile"] == "ccg"]
    assert [x["end"] for x in lives] == ["rejected", ""]
    profile = watcher.profile("ccg")
    assert (profile["state"], profile["served"]) == ("fresh", 2)
    assert profile["token"] == healed["token"]
    assert watcher.ask("GET", "/api/requests/nobody")[0] == 404


def test_what_happens_arrives_by_itself(proxy: Proxy, watcher: Watcher):
    """The whole state first, then each request once, and the profiles that change."""
    stream = Stream(watcher)
    stream.wait_for("event: state")
    assert ask(proxy, "ccg") == 200
    stream.wait_for(r'event: requests\ndata: \[\{"id"')
    stream.wait_for(r'event: lives\ndata: \{"lives":\[\{"profile":"ccg"')
    assert stream.events()[0] == "state"
    assert ask(proxy, "jwt") == 200
    stream.wait_for(r'event: requests\ndata: [^\n]*"profile":"jwt"')
    assert stream.text.count('"verdict":"inject"') == 2
    stream.close()


def test_renewing_and_revoking(proxy: Proxy, watcher: Watcher, sandbox: Sandbox):
    """Both are done at the server, and what came of it is told."""
    assert ask(proxy, "ccg") == 200
    before = watcher.profile("ccg")["token"]

    status, body = watcher.wants("ccg", "renew")
    assert (status, json.loads(body)) == (
        200,
        {"ok": True, "words": "renewed, good for 60 min"},
    )
    assert watcher.profile("ccg")["token"] != before
    status, body = watcher.wants("dev", "renew")
    assert json.loads(body)["ok"] is True
    status, body = watcher.wants("dev", "revoke")
    assert json.loads(body) == {
        "ok": True,
        "words": "the tokens are revoked and deleted",
    }
    assert [entry["status"] for entry in sandbox.requests(path="/oauth2/revoke")] == [
        200
    ]
    (trouble,) = [x for x in watcher.state["troubles"] if x["profile"] == "dev"]
    assert (trouble["level"], trouble["action"]) == ("error", "login")
    assert f"everbearer login -c {watcher.config} dev" in trouble["hint"]


def test_what_cannot_be_done_says_why(watcher: Watcher, sandbox: Sandbox):
    """A developer token, a server that refuses; and unknown names are 404."""
    status, body = watcher.wants("devtoken", "renew")
    assert (status, json.loads(body)["ok"]) == (200, False)
    sandbox.fault(
        {"status": 400, "body": '{"error":"invalid_client"}'}, path="/oauth2/token"
    )
    status, body = watcher.wants("ccg", "renew")
    told = json.loads(body)
    assert (status, told["ok"]) == (200, False)
    assert told["hint"]
    for profile, action in (("nobody", "renew"), ("ccg", "delete"), ("ccg/x", "renew")):
        assert watcher.wants(profile, action)[0] == 404


def test_logging_in_from_the_page(place: Place, sandbox: Sandbox):
    """The page has the address, the person consents, and the tokens are there."""
    config = sandbox.state / "login.toml"
    proxy = Proxy(place, config)
    watcher = Watcher(place, proxy, config).enter()
    (name,) = [each["name"] for each in watcher.state["profiles"]]
    stream = Stream(watcher)

    told = json.loads(watcher.wants(name, "login")[1])
    again = json.loads(watcher.wants(name, "login")[1])
    person = Person(place, sandbox)
    with person.web:
        last = person.returns(person.decides(told["url"]))

    assert again["url"] == told["url"]
    assert "You are logged in" in last.text
    stream.wait_for('"kind":"login"')
    assert watcher.profile(name)["state"] == "fresh"
    assert proxy.curl(ME).status == 200
    stream.close()


def test_a_login_that_is_under_way_is_saved_before_the_end(
    place: Place, sandbox: Sandbox
):
    """The code is spent when the proxy is told to stop: what it brings is kept."""
    config = sandbox.state / "login.toml"
    proxy = Proxy(place, config, mitmproxy=WATCHING)
    watcher = Watcher(place, proxy, config).enter()
    (name,) = [each["name"] for each in watcher.state["profiles"]]
    told = json.loads(watcher.wants(name, "login")[1])
    held = sandbox.hold(path="/oauth2/token")
    person = Person(place, sandbox)
    with person.web, ThreadPoolExecutor() as pool:
        # The page on which the browser ends may be gone by then.
        pool.submit(person.returns, person.decides(told["url"]))
        sandbox.wait(1, path="/oauth2/token")
        proxy.process.child.send_signal(signal.SIGTERM)
        proxy.process.wait_for("watching: stopping")
        assert sandbox.token_requests()[0]["held"]
        sandbox.release(held)
        assert proxy.process.child.wait(LOOK) == 0
    assert "Traceback" not in proxy.process.output

    assert Proxy(place, config).curl(ME).status == 200
    assert [entry["status"] for entry in sandbox.token_requests()] == [200]


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


def test_no_answer_holds_a_secret(
    place: Place, proxy: Proxy, watcher: Watcher, sandbox: Sandbox
):
    """Whatever has happened: served, refused, renewed, failed, revoked, logged in."""
    canaries = Canaries(sandbox)
    stream = Stream(watcher)
    said: list[bytes] = []

    def look() -> None:
        for target in ("/", "/api/state", "/open", "/nope", "/api/requests/x"):
            _, fields, body = watcher.ask("GET", target)
            said.append(str(fields).encode() + body)
        rows = watcher.state["requests"]
        told = [watcher.ask("GET", f"/api/requests/{row['id']}") for row in rows]
        said.extend(body for _, _, body in told)

    look()
    for profile in ("dev", "jwt", "ccg", "devtoken"):
        assert ask(proxy, profile) == 200
    look()
    sandbox.revoke()
    for profile in ("dev", "jwt", "ccg", "devtoken"):
        ask(proxy, profile)
    ask(proxy, "ccg", "-H", "Authorization: Bearer clients-own-token-0123456789")
    look()
    sandbox.fault({"status": 400}, path="/oauth2/token")
    said += [watcher.wants(name, "renew")[1] for name in ("dev", "jwt", "ccg")]
    look()
    sandbox.call("DELETE", "faults")
    said.append(watcher.wants("dev", "login")[1])
    said.append(watcher.wants("ccg", "revoke")[1])
    look()
    stream.wait_for('"kind":"revoked"')
    said.append(stream.text.encode())
    stream.close()
    proxy.process.stop()

    canaries.more["own"] = "clients-own-token-0123456789"
    everything = b"\n".join(said) + proxy.process.output.encode()
    assert len(everything) > 20_000
    assert canaries.in_bytes(everything) == []
    assert watcher.cookie.partition("=")[2].encode() not in everything
    assert canaries.in_files(written(place)) == {}


def test_a_watcher_does_not_hold_up_the_end(proxy: Proxy, watcher: Watcher):
    """SIGTERM with an open stream: the stream ends, and so does the proxy."""
    stream = Stream(watcher)
    stream.wait_for("event: state")
    begun = time.monotonic()
    assert proxy.process.stop() == 0
    assert stream.ended()
    stream.close()
    # What is asserted is that nobody waits for the reader, whose pings are 15 s apart.
    assert time.monotonic() - begun < 10
    assert "Traceback" not in proxy.process.output


def test_a_page_that_is_closed_is_forgotten(proxy: Proxy, watcher: Watcher):
    """As many pages as one likes, one after the other; too many at once are told."""
    for _ in range(40):
        stream = Stream(watcher)
        assert stream.status == 200
        stream.wait_for("event: state")
        stream.close()
    streams = [Stream(watcher) for _ in range(40)]
    assert {each.status for each in streams} == {200, 503}
    for each in streams:
        each.close()
    assert watcher.ask("GET", "/api/state")[0] == 200


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
