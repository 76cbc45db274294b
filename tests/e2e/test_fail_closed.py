"""Whatever fails inside a hook, the request does not leave without its token."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path

import pytest

from canary import Canaries
from harness import Answer, Place, Proxy, Sandbox
from own_tokens import TOKEN_URL, app
from toy_server import GOOD, HOST, ToyServer
from toy_stage import start
from tunnel import Tunnel

SCRIPT = Path(__file__).with_name("fault_script.py")
KINDS = ["Exception", "CancelledError", "BaseException"]
TIMED_OUT = 28
"""An exit code of curl's."""

MOST = 600
"""More calls than any hook makes; where it ends the table has been gone through."""


def ask(
    proxy: Proxy, method: str = "GET", path: str = "/2.0/users/me", **fields: str
) -> tuple[int, dict[str, str], bytes]:
    """Send one request on a connection of its own; status 0: closed unanswered."""
    context = ssl.create_default_context(cafile=str(proxy.ca))
    connection = http.client.HTTPSConnection(
        "127.0.0.1", proxy.port, context=context, timeout=20
    )
    connection.set_tunnel("api.box.com", 443)
    try:
        connection.request(
            method,
            path,
            headers={k.replace("_", "-"): v for k, v in fields.items()},
        )
        answer = connection.getresponse()
        return (
            answer.status,
            {k.lower(): v for k, v in answer.getheaders()},
            answer.read(),
        )
    except (OSError, http.client.HTTPException):
        return 0, {}, b""
    finally:
        connection.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hook", ["requestheaders", "request"])
def test_failing_call_in_a_request_hook_keeps_the_request_in(
    place: Place, sandbox: Sandbox, hook: str, kind: str
):
    """Each call that a request hook makes may fail: the server sees no request."""
    proxy = Proxy(
        place, sandbox.state / "client_credentials.toml", mitmproxy=("-s", str(SCRIPT))
    )
    assert ask(proxy)[0] == 200
    sandbox.forget()

    tried = 0
    for number in range(1, MOST):
        status, fields, body = ask(proxy, X_Fault=f"{hook} {kind} {number}")
        seen = sandbox.requests(path="/2.0/users/me")
        if fields.get("x-fault-fired") == "none":
            assert status == 200
            break
        tried += 1
        where = f"call {number}: {fields.get('x-fault-fired')}"
        assert not seen, where
        assert status == 500, where
        assert fields["content-type"] == "application/problem+json", where
        assert "everbearer" in fields["proxy-status"], where
        problem = json.loads(body)
        assert problem["code"] == "internal_error", where
        assert problem["hint"], where
    assert tried > (20 if hook == "requestheaders" else 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hook", ["requestheaders", "request"])
def test_failing_call_keeps_a_clients_redeem_of_ours_in(
    place: Place, sandbox: Sandbox, hook: str, kind: str
):
    """
    Each call on its way may fail: our refresh token is not redeemed unwatched.

    And no lock is left behind: the one that nothing fails for goes through.
    """
    proxy = Proxy(
        place, sandbox.state / "refresh_token.toml", mitmproxy=("-s", str(SCRIPT))
    )
    seed = (sandbox.state / "refresh_token.txt").read_text().strip()
    form = [*app(sandbox), "-d", "grant_type=refresh_token"]

    tried = 0
    for number in range(1, MOST):
        fault = ("-H", f"X-Fault: {hook} {kind} {number}")
        answer = proxy.curl(
            *fault, *form, "-d", f"refresh_token={seed}", TOKEN_URL, timeout=20
        )
        if answer.fields.get("x-fault-fired") == "none":
            assert answer.status == 200
            break
        tried += 1
        where = f"call {number}: {answer.fields.get('x-fault-fired')}"
        assert not sandbox.token_requests(), where
        assert answer.status == 500, where
        assert answer.json["code"] == "internal_error", where
    assert tried > 20
    proxy.process.wait_for("the next one is saved")
    assert len(sandbox.token_requests()) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "hook",
    [
        "client_connected",
        "http_connect",
        "next_layer",
        "server_connect",
        "server_connected",
        "tls_start_server",
    ],
)
def test_failing_call_in_a_connection_hook_keeps_its_requests_in(
    place: Place, sandbox: Sandbox, hook: str, kind: str
):
    """Each call that a connection hook makes may fail: nothing leaves by it."""
    fault = place.root / "fault"
    fault.write_text("")
    proxy = Proxy(
        place,
        sandbox.state / "client_credentials.toml",
        mitmproxy=("-s", str(SCRIPT)),
        EVERBEARER_FAULT=str(fault),
    )
    assert ask(proxy)[0] == 200
    sandbox.forget()

    tried = 0
    for number in range(1, MOST):
        fault.write_text(f"{hook} {kind} {number}")
        status, fields, _ = ask(proxy)
        told = fault.read_text()
        fault.write_text("")
        if not told.startswith("fired"):
            assert status == 200
            break
        tried += 1
        assert not sandbox.requests(path="/2.0/users/me"), told
        assert status == 0 or fields["content-type"] == "application/problem+json", told
    assert tried > 0


@pytest.mark.parametrize("kind", KINDS)
def test_failing_call_after_a_failed_connection_lets_nothing_out(
    place: Place, sandbox: Sandbox, free_port: int, kind: str
):
    """Where the server is not there, a failing hook keeps nobody waiting."""
    fault = place.root / "fault"
    fault.write_text("")
    config = sandbox.config("nobody", source="client_credentials")
    text = config.read_text()
    nobody = text.replace(f"127.0.0.1:{sandbox.port}", f"127.0.0.1:{free_port}")
    config.write_text(nobody)
    proxy = Proxy(
        place, config, mitmproxy=("-s", str(SCRIPT)), EVERBEARER_FAULT=str(fault)
    )

    tried = 0
    for number in range(1, MOST):
        fault.write_text(f"server_connect_error {kind} {number}")
        answer = proxy.curl("https://api.box.com/2.0/users/me")
        told = fault.read_text()
        assert answer.exit_code == 56, (told, answer)  # the CONNECT got no 200
        if not told.startswith("fired"):
            break
        tried += 1
    assert tried > 0
    assert not sandbox.requests()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [200, 401])
def test_failing_call_in_the_response_hook_leaves_no_token(
    place: Place, sandbox: Sandbox, kind: str, status: int
):
    """Each call after an answer may fail: it arrives, and is saved without token."""
    fault, flows = place.root / "fault", place.root / "saved.flows"
    fault.write_text("")
    proxy = Proxy(
        place,
        sandbox.state / "client_credentials.toml",
        mitmproxy=("-s", str(SCRIPT), "-w", str(flows)),
        EVERBEARER_FAULT=str(fault),
    )
    assert ask(proxy)[0] == 200

    tried = 0
    for number in range(1, MOST):
        if status != 200:
            sandbox.revoke()
        sandbox.forget()
        fault.write_text(f"response {kind} {number}")
        answered = ask(proxy)[0]
        told = fault.read_text()
        fault.write_text("")
        seen = sandbox.requests(path="/2.0/users/me")
        assert answered in ({200} if status == 200 else {200, 401, 500, 502}), told
        assert all(entry["authorization_count"] == 1 for entry in seen), told
        if not told.startswith("fired"):
            break
        tried += 1
    proxy.process.stop()
    assert tried > 0
    assert b"/2.0/users/me" in flows.read_bytes()
    assert not Canaries(sandbox).in_files([flows])


def post(proxy: Proxy, size: int, **fields: str) -> Answer:
    """Send a body on a connection of its own; status 0: closed unanswered."""
    with Tunnel(proxy, HOST) as tunnel:
        try:
            return tunnel.ask("POST", "/things/1", bytes(size), **fields)
        except (OSError, http.client.HTTPException):
            return Answer(0, {}, b"", 0, "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [5, 1024 * 1024 + 1])
@pytest.mark.parametrize("hook", ["requestheaders", "request"])
def test_failing_call_keeps_an_unsigned_body_in(
    place: Place, server: ToyServer, hook: str, size: int, kind: str
):
    """Each call may fail for a scheme that signs bodies: none leaves unsigned."""
    proxy = start(place, server, SCRIPT.name)
    assert post(proxy, size).status == 200
    server.forget()

    tried = 0
    for number in range(1, MOST):
        answer = post(proxy, size, X_Fault=f"{hook} {kind} {number}")
        seen = server.judged()
        if answer.fields.get("x-fault-fired") == "none":
            assert answer.status == 200
            break
        tried += 1
        where = f"call {number}: {answer.fields.get('x-fault-fired')}"
        # Sent from the spool, a request may fail after it has left, signed; the
        # server may get to it after the client has its answer.
        assert set(seen) <= {GOOD}, where
        assert not seen or (hook == "request" and size > 5), where
        if answer.status:
            assert answer.status in {413, 500, 502}, where
            assert answer.json["hint"], where
        else:
            assert (hook, size > 5) == ("requestheaders", True), where
    assert tried > 20


@pytest.mark.parametrize("kind", KINDS)
def test_failing_call_after_a_clients_redeem_keeps_nothing_of_it(
    place: Place, sandbox: Sandbox, kind: str
):
    """Each call after its answer may fail: nothing is saved, nobody waits in vain."""
    fault, flows = place.root / "fault", place.root / "saved.flows"
    fault.write_text("")
    proxy = Proxy(
        place,
        sandbox.state / "refresh_token.toml",
        mitmproxy=("-s", str(SCRIPT), "-w", str(flows)),
        EVERBEARER_FAULT=str(fault),
    )
    refresh_token = (sandbox.state / "refresh_token.txt").read_text().strip()
    fired, told = 0, "fired"
    while told.startswith("fired"):
        # Whatever failed before: after this one the client has the current one.
        for words in ("", f"response {kind} {fired + 1}"):
            fault.write_text(words)
            form = (*app(sandbox), "-d", "grant_type=refresh_token")
            token = ("-d", f"refresh_token={refresh_token}")
            answer = proxy.curl(*form, *token, TOKEN_URL, timeout=20)
            told = fault.read_text()
            assert answer.status == 200 or (words and not answer.status), told
            assert answer.exit_code != TIMED_OUT, told
            if answer.body:
                refresh_token = answer.json["refresh_token"]
        fired += told.startswith("fired")
    fault.write_text("")
    assert fired > 10
    assert proxy.curl("https://api.box.com/2.0/users/me").status == 200
    proxy.process.stop()
    saved = flows.read_bytes()
    assert saved.count(b"/oauth2/token") > saved.count(b"everbearer.question")
    assert not Canaries(sandbox).in_files([flows])
