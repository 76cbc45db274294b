"""The dashboard of a real proxy: what it shows, and what can be done there."""

from __future__ import annotations

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from canary import Canaries, written
from harness import Place, Proxy, Sandbox
from person import LOOK, Person
from watcher import Stream, Watcher

ME = "https://api.box.com/2.0/users/me"
WATCHING = ("-s", str(Path(__file__).with_name("watching_script.py")))


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
