"""A strict server rotates and spoils its answer: what it gave is not lost."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from harness import START, Place, Proxy, Sandbox
from own_tokens import TOKEN_URL, app

ME = "https://api.box.com/2.0/users/me"
TOKEN = "/oauth2/token"

SPOILT = {
    "no life": {"expires_in": 0},
    "another kind": {"json": {"token_type": "mac"}},
    "no access token": {"omit": ["access_token"]},
}


class Grant:
    """A grant whose server takes each refresh token once, and ends it at a reuse."""

    def __init__(self, place: Place, sandbox: Sandbox) -> None:
        sandbox.call("POST", "strict", {"on": True})
        self.place = place
        self.sandbox = sandbox
        self.config: Path = sandbox.state / "refresh_token.toml"
        self.proxy = Proxy(place, self.config)

    def spoil(self, effect: dict[str, object], times: int) -> None:
        """Spoil the next answers to what is redeemed."""
        self.sandbox.fault(effect, path=TOKEN, times=times)

    def restart(self) -> None:
        """Kill the proxy as it is, and start another."""
        self.proxy.process.stop(signal.SIGKILL)
        self.proxy = Proxy(self.place, self.config)

    def ask(self) -> tuple[int, str]:
        """Return status and code of a request without any token."""
        answer = self.proxy.curl(ME)
        return answer.status, answer.json.get("code", "")

    def ask_until_served(self) -> None:
        """Ask until the pause after the spoilt answers is over."""
        end = time.monotonic() + START
        while (answer := self.ask()) != (200, ""):
            assert answer == (502, "token_response_malformed")
            assert time.monotonic() < end

    def redeems(self) -> list[int]:
        """Return what the token endpoint answered so far."""
        return self.sandbox.statuses(TOKEN)


@pytest.mark.parametrize("killed", [False, True], ids=["lives", "killed"])
@pytest.mark.parametrize("row", SPOILT)
def test_the_refresh_token_of_a_spoilt_answer_is_redeemed_next(
    place: Place, sandbox: Sandbox, row: str, killed: bool
):
    """By the same process or after kill -9: a reuse of the old one would end it all."""
    grant = Grant(place, sandbox)
    grant.spoil(SPOILT[row], times=1)

    assert grant.ask() == (502, "token_response_malformed")
    assert grant.redeems() == [200]
    if killed:
        grant.restart()
    grant.ask_until_served()

    assert grant.redeems() == [200, 200]
    sandbox.revoke()
    assert grant.ask() == (200, "")  # what came then is the next of the chain
    assert grant.redeems() == [200, 200, 200]


def test_each_of_many_spoilt_answers_carries_the_chain_on(
    place: Place, sandbox: Sandbox
):
    """Four in a row, the proxy killed after each: four redeems, the fifth serves."""
    grant = Grant(place, sandbox)
    grant.spoil(SPOILT["no life"], times=4)

    for count in range(1, 5):
        end = time.monotonic() + START
        while len(grant.redeems()) < count:
            assert grant.ask() == (502, "token_response_malformed")
            assert time.monotonic() < end
        grant.restart()
    grant.ask_until_served()

    assert grant.redeems() == [200] * 5


def test_a_living_token_serves_while_its_renewals_are_spoilt(
    place: Place, sandbox: Sandbox
):
    """`renew` fails and says so; nobody who asks notices, and the next one heals."""
    grant = Grant(place, sandbox)
    assert grant.ask() == (200, "")
    grant.spoil(SPOILT["another kind"], times=1)

    done = place.everbearer("renew", "-c", str(grant.config), "dev")
    assert done.returncode == 4
    assert "token_type is not bearer" in done.stderr
    assert grant.ask() == (200, "")
    assert place.everbearer("renew", "-c", str(grant.config), "dev").returncode == 0

    assert grant.ask() == (200, "")
    assert grant.redeems() == [200] * 3


def test_a_client_that_repeats_the_spoilt_redeem_heals_it(
    place: Place, sandbox: Sandbox
):
    """Box gives it the same pair: saved before the client has it, a kill or not."""
    grant = Grant(place, sandbox)
    sandbox.call("POST", "strict", {"on": False})
    grant.spoil(SPOILT["no life"], times=1)
    assert grant.ask() == (502, "token_response_malformed")
    seed = (sandbox.state / "refresh_token.txt").read_text().strip()
    form = ("-d", "grant_type=refresh_token", "-d", f"refresh_token={seed}")

    assert grant.proxy.curl(*app(sandbox), *form, TOKEN_URL).status == 200
    grant.proxy.process.wait_for("dev: a client redeemed .* the next one is saved")
    grant.restart()

    assert grant.ask() == (200, "")
    assert grant.redeems() == [200, 200]
