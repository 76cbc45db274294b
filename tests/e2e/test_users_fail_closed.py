"""Whatever fails at the door, who is no user stays out."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import Place, Proxy, Sandbox, curl
from ports import unused_port
from users_stage import ME, PASSWORDS, as_user, basic, user

SCRIPT = Path(__file__).with_name("fault_script.py")
KINDS = ["Exception", "CancelledError", "BaseException"]
MOST = 200
"""More calls than any hook makes on the way to a refusal."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "hook", ["client_connected", "http_connect", "next_layer", "server_connect"]
)
def test_failing_call_at_a_connect_lets_nobody_in(
    place: Place, sandbox: Sandbox, hook: str, kind: str
):
    """Each call that a hook makes for a wrong password may fail: no tunnel opens."""
    fault = place.root / "fault"
    fault.write_text("")
    config = sandbox.config(
        "users", user("alice", PASSWORDS["alice"]), "client_credentials"
    )
    proxy = Proxy(
        place, config, mitmproxy=("-s", str(SCRIPT)), EVERBEARER_FAULT=str(fault)
    )
    assert proxy.curl(*as_user("alice"), ME).status == 200
    sandbox.forget()
    wrong = as_user("alice", "a wrong password")
    tried = 0
    for number in range(1, MOST):
        fault.write_text(f"{hook} {kind} {number}")
        answer = proxy.curl(*wrong, ME, timeout=20)
        told = fault.read_text()
        fault.write_text("")
        assert answer.status in {0, 407, 500}, told
        assert not sandbox.requests(), told
        if not told.startswith("fired"):
            break
        tried += 1
    assert tried > 0 or hook in {"next_layer", "server_connect"}  # never reached


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", ["", "wrong"])
def test_failing_call_at_a_reverse_listener_lets_nobody_in(
    place: Place, sandbox: Sandbox, kind: str, given: str
):
    """The same for each call that the request hook makes."""
    port = unused_port()
    listeners = (
        '\n[[listeners]]\naddress = "127.0.0.1:8080"\n'
        f'[[listeners]]\naddress = "127.0.0.1:{port}"\n'
        'reverse = "https://api.box.com"\n'
    )
    config = sandbox.config(
        "users", listeners + user("alice", PASSWORDS["alice"]), "client_credentials"
    )
    Proxy(place, config, mitmproxy=("-s", str(SCRIPT)))
    url = f"http://127.0.0.1:{port}/2.0/users/me"
    field = f"Everbearer-Authorization: {basic('alice', given)}" if given else "X-No: x"
    tried = 0
    for number in range(1, MOST):
        fault = f"X-Fault: requestheaders {kind} {number}"
        answer = curl("-H", field, "-H", fault, url, timeout=20)
        assert answer.status in {0, 401, 500}, answer
        assert not sandbox.requests(path="/2.0/users/me")
        if answer.status == 401:
            break
        tried += 1
    assert tried > 5
