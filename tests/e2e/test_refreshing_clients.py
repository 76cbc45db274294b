"""A client redeems our refresh token by itself: the chain goes on for both."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from config_file import unnamed
from harness import Answer, Place, Proxy, Sandbox
from own_tokens import TOKEN_URL, app, direct
from tunnel import Tunnel

ME = "https://api.box.com/2.0/users/me"
TOKEN = "/oauth2/token"
FOLDER = Path(__file__).parent
WATCHING = ("-s", str(FOLDER / "watching_script.py"))
KILLING = ("-s", str(FOLDER / "kill_script.py"))
SAVED = r"dev: a client redeemed the refresh token by itself, the next one is saved"
LOST = r"dev: a client redeemed the refresh token by itself, and "
OLD = r"dev: a client redeems a refresh token that was replaced before"

both_rotations = pytest.mark.parametrize("strict", [False, True], ids=["box", "strict"])


class Client:
    """A tool that refreshes its token by itself, with the seed that we have too."""

    def __init__(
        self, sandbox: Sandbox, place: Place, *, mitmproxy: tuple[str, ...] = ()
    ) -> None:
        self.sandbox = sandbox
        self.config = sandbox.state / "refresh_token.toml"
        self.proxy = Proxy(place, self.config, mitmproxy=mitmproxy)
        self.refresh_token = (sandbox.state / "refresh_token.txt").read_text().strip()
        self.access_token = ""

    @property
    def form(self) -> list[str]:
        """Return the token request's form, for curl."""
        token = f"refresh_token={self.refresh_token}"
        return [*app(self.sandbox), "-d", "grant_type=refresh_token", "-d", token]

    @property
    def output(self) -> str:
        return self.proxy.process.output

    def redeem(self, *more: str) -> Answer:
        """Redeem by the proxy, and go on with what came."""
        answer = self.proxy.curl(*self.form, *more, TOKEN_URL)
        if answer.status == 200:
            self.refresh_token = answer.json["refresh_token"]
            self.access_token = answer.json["access_token"]
        return answer

    def work(self) -> int:
        """Ask with the client's own access token, past the proxy."""
        bearer = f"Authorization: Bearer {self.access_token}"
        return direct(self.sandbox, "-H", bearer, ME).status

    def ours(self) -> int:
        """Ask by the proxy, without any token."""
        return self.proxy.curl(ME).status

    def answers(self) -> list[int]:
        """Return what the token endpoint answered so far."""
        return [entry["status"] for entry in self.sandbox.token_requests()]


@pytest.fixture
def pool(sandbox: Sandbox) -> Iterator[ThreadPoolExecutor]:
    """Run requests that the sandbox holds; they are let go in the end."""
    with ThreadPoolExecutor() as pool:
        yield pool
        sandbox.call("DELETE", "faults")


def overlapping(sandbox: Sandbox) -> int:
    """Return the most redeems of one refresh token that were in flight at once."""
    counters = sandbox.call("GET", "requests")["counters"]
    return counters["most_overlapping_redeems"]


@both_rotations
def test_chain_goes_on_for_both(place: Place, sandbox: Sandbox, strict: bool):
    """The client redeems again and again, uses what it gets; ours goes on after."""
    sandbox.call("POST", "strict", {"on": strict})
    client = Client(sandbox, place)
    for turn in range(3):
        assert client.redeem().status == 200
        assert client.work() == 200
        assert client.ours() == 200
        assert client.answers() == [200] * (turn + 1)  # and none of ours
    sandbox.call("POST", "tokens/expire", {})

    assert client.ours() == 200

    assert client.answers() == [200] * 4
    client.proxy.process.wait_for("(?s:(.*the next one is saved){3})")
    assert overlapping(sandbox) == 1


@both_rotations
def test_our_token_is_followed_by_the_clients(
    place: Place, sandbox: Sandbox, strict: bool
):
    """We had a token when the client redeemed: its new one is ours at once."""
    sandbox.call("POST", "strict", {"on": strict})
    client = Client(sandbox, place)
    assert client.redeem().status == 200
    assert client.ours() == 200
    assert client.redeem().status == 200
    assert client.work() == 200
    sandbox.forget()

    assert client.ours() == 200

    assert [(e["path"], e["status"]) for e in sandbox.requests()] == [
        ("/2.0/users/me", 200)
    ]


def test_nothing_of_the_exchange_is_changed(place: Place, sandbox: Sandbox):
    """The server gets the client's bytes and no token, the client the server's."""
    client = Client(sandbox, place)
    form = "&".join(word for word in client.form if word != "-d").encode()
    plain = direct(sandbox, *client.form, TOKEN_URL)  # not used yet: given again
    sandbox.forget()

    answer = client.redeem()

    [entry] = sandbox.token_requests()
    assert entry["body_sha256"] == hashlib.sha256(form).hexdigest()
    assert entry["authorization_count"] == 0
    assert answer.status == plain.status == 200
    assert answer.json["refresh_token"] == plain.json["refresh_token"]
    assert answer.fields.keys() == plain.fields.keys()
    assert len(answer.body) == len(plain.body)
    client.proxy.process.wait_for(SAVED)


def test_pair_survives_a_kill_right_after_the_answer(place: Place, sandbox: Sandbox):
    """The client has its answer: the pair is on disk, whatever becomes of us."""
    sandbox.call("POST", "strict", {"on": True})
    client = Client(sandbox, place)
    assert client.redeem().status == 200
    client.proxy.process.stop(signal.SIGKILL)
    assert client.work() == 200
    sandbox.call("POST", "tokens/expire", {})

    client.proxy = Proxy(place, client.config)

    assert client.ours() == 200
    assert client.answers() == [200, 200]


@both_rotations
def test_ours_waits_for_the_clients_redeem(
    place: Place, sandbox: Sandbox, pool: ThreadPoolExecutor, strict: bool
):
    """A request of ours comes while the client's redeem is held: one redeem."""
    sandbox.call("POST", "strict", {"on": strict})
    client = Client(sandbox, place, mitmproxy=WATCHING)
    held = sandbox.hold(path=TOKEN)
    theirs = pool.submit(client.redeem)
    sandbox.wait(1, path=TOKEN)
    ours = pool.submit(client.ours)
    client.proxy.process.wait_for("watching: asked /2.0/users/me")
    sandbox.release(held)

    assert (theirs.result().status, ours.result()) == (200, 200)
    assert client.answers() == [200]
    assert overlapping(sandbox) == 1


def test_clients_redeem_waits_for_ours(
    place: Place, sandbox: Sandbox, pool: ThreadPoolExecutor
):
    """Our renewal is held at the server: the client's request is not there yet."""
    client = Client(sandbox, place, mitmproxy=WATCHING)
    held = sandbox.hold(path=TOKEN)
    ours = pool.submit(client.ours)
    sandbox.wait(1, path=TOKEN)
    theirs = pool.submit(client.redeem)
    client.proxy.process.wait_for(f"watching: asked {TOKEN}")
    assert len(client.answers()) == 1
    sandbox.release(held)

    assert (ours.result(), theirs.result().status) in {(200, 200), (200, 400)}
    assert overlapping(sandbox) == 1
    client.proxy.process.wait_for(OLD)


def test_second_process_waits_as_well(
    place: Place, sandbox: Sandbox, pool: ThreadPoolExecutor
):
    """A renewal by another process on the same store shares the client's redeem."""
    sandbox.call("POST", "strict", {"on": True})
    client = Client(sandbox, place)
    other = Proxy(place, client.config, mitmproxy=WATCHING)
    held = sandbox.hold(path=TOKEN)
    theirs = pool.submit(client.redeem)
    sandbox.wait(1, path=TOKEN)
    ours = pool.submit(other.curl, ME)
    other.process.wait_for("watching: asked /2.0/users/me")
    sandbox.release(held)

    assert (theirs.result().status, ours.result().status) == (200, 200)
    assert client.answers() == [200]


def test_client_that_leaves_leaves_no_lock(place: Place, sandbox: Sandbox):
    """It is gone before its answer: ours redeems at once, and says what happened."""
    client = Client(sandbox, place)
    held = sandbox.hold(path=TOKEN)
    form = "&".join(word for word in client.form if word != "-d").encode()
    with Tunnel(client.proxy) as leaving:
        kind = "application/x-www-form-urlencoded"
        leaving.begin("POST", TOKEN, Content_Type=kind, Content_Length=str(len(form)))
        leaving.send(form)
        sandbox.wait(1, path=TOKEN)
    client.proxy.process.wait_for(LOST + "its answer never arrived")
    sandbox.release(held)

    assert client.ours() == 200
    assert overlapping(sandbox) == 1


@pytest.mark.parametrize("hook", ["request", "responseheaders", "response"])
def test_killed_redeem_leaves_no_lock(place: Place, sandbox: Sandbox, hook: str):
    """Somebody kills the flow at any stage: ours goes on."""
    client = Client(sandbox, place, mitmproxy=KILLING)

    assert client.redeem("-H", f"X-Kill: {hook}").status == 0

    assert client.ours() == 200
    assert client.answers() == [200] * {"request": 1, "response": 1}.get(hook, 2)
    assert "Traceback" not in client.output


def test_stop_during_a_redeem_waits_for_the_save(
    place: Place, sandbox: Sandbox, pool: ThreadPoolExecutor
):
    """What the server gave while the proxy stopped is there at its start."""
    sandbox.call("POST", "strict", {"on": True})
    client = Client(sandbox, place, mitmproxy=WATCHING)
    held = sandbox.hold(path=TOKEN)
    theirs = pool.submit(client.redeem)
    sandbox.wait(1, path=TOKEN)
    client.proxy.process.child.send_signal(signal.SIGTERM)
    client.proxy.process.wait_for("watching: stopping")
    sandbox.release(held)
    theirs.result()
    assert client.proxy.process.child.wait(40) == 0
    assert "Traceback" not in client.output

    client.proxy = Proxy(place, client.config)

    assert client.ours() == 200
    assert client.answers() == [200]


def test_old_refresh_token_goes_as_it_is_with_a_hint(place: Place, sandbox: Sandbox):
    """Ours has rotated since: the client's own error comes back, ours is unharmed."""
    client = Client(sandbox, place)
    assert client.ours() == 200

    answer = client.redeem()

    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")
    client.proxy.process.wait_for(OLD)
    client.proxy.process.wait_for("take the client's own refreshing off")
    assert client.ours() == 200
    assert place.everbearer("status", "-c", str(client.config)).returncode == 0
    assert (
        "invalid_grant"
        not in place.everbearer("status", "-c", str(client.config)).stderr
    )


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "refresh_token", "refresh_token": "nonsense"},
        {"grant_type": "client_credentials", "refresh_token": "ours"},
        {"grant_type": "refresh_token"},
        {"what": "ever"},
    ],
    ids=str,
)
def test_other_forms_are_untouched(
    place: Place, sandbox: Sandbox, form: dict[str, str]
):
    """Another's refresh token, another grant, none: sent as they are, nothing told."""
    client = Client(sandbox, place)
    if form.get("refresh_token") == "ours":
        form = form | {"refresh_token": client.refresh_token}

    client.proxy.curl("-d", urlencode(form), TOKEN_URL)

    [entry] = sandbox.token_requests()
    assert entry["body_sha256"] == hashlib.sha256(urlencode(form).encode()).hexdigest()
    assert "a client" not in client.output


@pytest.mark.parametrize("how", ["long", "chunked", "json"])
def test_what_is_not_looked_at_passes(place: Place, sandbox: Sandbox, how: str):
    """A form of over 64 KiB or of unknown length, and what is none, goes as before."""
    client = Client(sandbox, place)
    more = {
        "long": ("-d", "padding=" + "x" * 70_000),
        "chunked": ("-H", "Transfer-Encoding: chunked"),
        "json": ("-H", "Content-Type: application/json"),
    }[how]

    assert client.redeem(*more).status in {200, 400}

    assert "a client" not in client.output


UNREAD = {
    "long": ({"huge": 300_000}, "its answer is longer than 256 KiB"),
    "html": ({"html": True, "status": 200}, "the token endpoint answers"),
    "half": ({"status": 200, "body": {"access_token": "x"}}, "holds no refresh_token"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_answer_that_cannot_be_read_is_told(place: Place, sandbox: Sandbox, name: str):
    """The client gets it as it is, the log says what it means, ours goes on."""
    effect, why = UNREAD[name]
    client = Client(sandbox, place)
    sandbox.fault({**effect, "processed": True}, path=TOKEN, times=1)

    answer = client.proxy.curl(*client.form, TOKEN_URL)

    assert answer.status == 200
    assert name != "long" or len(answer.body) == 300_000
    client.proxy.process.wait_for(LOST + f".*{why}")
    assert client.ours() == 200


def test_invalid_grant_for_the_current_one_is_remembered(
    place: Place, sandbox: Sandbox
):
    """Ours is dead: the endpoint is not asked again, status says what to do."""
    client = Client(sandbox, place)
    sandbox.fault({"status": 400, "body": {"error": "invalid_grant"}}, path=TOKEN)

    assert client.redeem().status == 400

    answer = client.proxy.curl(ME)
    assert (answer.status, answer.json["code"]) == (502, "reauthorization_required")
    assert len(client.answers()) == 1
    assert "everbearer login dev" in unnamed(answer.json["hint"])
    status = place.everbearer("status", "-c", str(client.config)).stderr
    assert "invalid_grant" in status


@pytest.mark.parametrize("error", ["invalid_client", "temporarily_unavailable"])
def test_other_errors_are_the_clients(place: Place, sandbox: Sandbox, error: str):
    """The client gets them; ours is asked for as if nothing had been."""
    client = Client(sandbox, place)
    sandbox.fault({"status": 400, "body": {"error": error}}, path=TOKEN, times=1)

    answer = client.redeem()

    assert (answer.status, answer.json["error"]) == (400, error)
    assert client.ours() == 200
    assert client.answers() == [400, 200]


def test_invalid_grant_of_another_client_is_not_ours(place: Place, sandbox: Sandbox):
    """Our refresh token sent with a foreign client_id: refused, and ours is alive."""
    client = Client(sandbox, place)
    form = {
        "client_id": "another",
        "grant_type": "refresh_token",
        "refresh_token": client.refresh_token,
    }

    assert client.proxy.curl("-d", urlencode(form), TOKEN_URL).status == 400

    assert client.ours() == 200


def test_redeem_elsewhere_is_told_for_what_it_is(place: Place, sandbox: Sandbox):
    """Past the proxy and strictly rotated: the refusal names the cause and the cure."""
    sandbox.call("POST", "strict", {"on": True})
    client = Client(sandbox, place)
    assert direct(sandbox, *client.form, TOKEN_URL).status == 200

    answer = client.proxy.curl(ME)

    assert (answer.status, answer.json["code"]) == (502, "reauthorization_required")
    assert "another program redeemed it outside this proxy" in answer.json["hint"]
    assert "everbearer login dev" in unnamed(answer.json["hint"])
    status = place.everbearer("status", "-c", str(client.config)).stderr
    assert "another program redeemed it" in status
