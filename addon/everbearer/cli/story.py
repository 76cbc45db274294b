"""The scenes of the demo: each shows one claim and judges it."""

from __future__ import annotations

import json
import shlex
import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from everbearer.cli import measure
from everbearer.settings.real_box import EXAMPLE

if TYPE_CHECKING:
    from everbearer.cli.narrator import Narrator
    from everbearer.cli.stage import Child, Stage

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_SHORT_LIFE: Final = 3  # seconds
_WITH_STATUS: Final = ("-s", "-w", r"\n%{http_code}\n")
_SERVE: Final = (
    *("serve", "-c", "box/all.toml", "--listen", "127.0.0.1:0"),
    *("--", "--set", "confdir=mitmproxy"),
)
# As grant_type ends in a token request.
_GRANTS: Final = {
    "dev": "refresh_token",
    "jwt": "jwt-bearer",
    "ccg": "client_credentials",
}


@dataclass(slots=True)
class Story:
    """What is on the stage, scene after scene."""

    stage: Stage
    told: Narrator
    started: float = 0.0  # seconds until the proxy was ready
    _sandbox: Child = field(init=False)
    _proxy: Child = field(init=False)
    _box: int = 0
    _port: int = 0
    _control: str = ""

    # -- scenes ---------------------------------------------------------------

    def open(self) -> None:
        """Start the sandbox and the proxy."""
        self.told.title("a local Box, and the proxy")
        self._sandbox = self._start("sandbox", "--port", "0", "--state", "box")
        self._box = int(self._sandbox.wait_for(r"listens on 127\.0\.0\.1:(\d+)")[1])
        self._control = self._sandbox.wait_for(r"control API is (\S+)")[1]
        self._start_proxy()
        for line in self._proxy.said():
            self.told.quote("proxy", line)

    def without(self) -> None:
        """Show what Box says to a request without a token."""
        self.told.title("without everbearer, a request that has no token is refused")
        status = self._curl(
            *_WITH_STATUS,
            *("--connect-to", f"api.box.com:443:127.0.0.1:{self._box}"),
            *("--cacert", "box/ca.pem", EXAMPLE),
        )
        self.told.claim(status == _UNAUTHORIZED, "401: Box wants a token")

    def grants(self) -> None:
        """Have the same request answered by each grant."""
        for profile, grant in _GRANTS.items():
            self.told.title(f"with everbearer it is answered: {grant}")
            status = self._asked(*self._field(profile))
            self.told.claim(status == _OK, f"200 by {grant}, and no tool had a token")

    def placeholder(self) -> None:
        """Have a variable replaced that a tool did not resolve."""
        self.told.title("what Postman sends for a variable that is not set")
        status = self._asked("-H", "Authorization: Bearer {{access_token}}")
        self.told.claim(status == _OK, "200: the placeholder was replaced")

    def short_life(self) -> None:
        """Renew tokens before they expire, so that nobody waits or is refused."""
        self.told.title(f"tokens that live {_SHORT_LIFE} s, and a request every half")
        self._control_call("token_life", {"seconds": _SHORT_LIFE})
        renew = ("renew", "-c", "box/all.toml", "ccg")
        self.told.command("everbearer", renew)
        self.stage.output(*renew)
        self._seen()
        asked = self._by_proxy(*self._field("ccg"))
        self.told.shell(f"while sleep 0.5; do {shlex.join(['curl', *asked])}; done")
        got, before = [], len(self._proxy.said())
        for _ in range(2 * 2 * _SHORT_LIFE):
            time.sleep(0.5)
            got.append(_taken_apart(self.stage.curl(*asked))[1])
        for line in self._proxy.said(before):
            if "renewed" in line:
                self.told.quote("proxy", line)
        refused, renewed = self._seen("ccg")
        self.told.quote("box", f"answers 401: {refused}; token requests: {renewed}")
        all_answered = set(got) == {_OK} and not refused and renewed > 1
        self.told.claim(
            all_answered, f"{len(got)} times 200 over {2 * _SHORT_LIFE} s, and no 401"
        )
        self._control_call("token_life", {"seconds": 3600})

    def expiry(self) -> None:
        """Heal an expired token."""
        self.told.title("the token expires on the server, before its time")
        self._heal("expire", "jwt")

    def revocation(self) -> None:
        """Heal a revoked token."""
        self.told.title("somebody revokes the token")
        self._heal("revoke", "dev")

    def restart(self) -> None:
        """Restart the proxy, which goes on with the token that it has."""
        self.told.title("the proxy is stopped and started again")
        code = self.stage.stop(self._proxy)
        self.told.claim(code == 0, "it stopped in order")
        first = self.started
        self._start_proxy()
        self.started = min(first, self.started)
        self._seen()
        status = self._asked()
        _, renewed = self._seen()
        good = status == _OK and not renewed
        self.told.claim(good, "200, and no token request: the token was in the store")

    def numbers(self) -> None:
        """Measure on this machine; nothing is claimed of it."""
        self.told.title("measured here")
        token = self.stage.output("token", "-c", "box/all.toml", "jwt")
        ours, theirs = measure.injected_and_passed(self.stage, self._port, token, "jwt")
        self.told.note(
            f"a request with a token from everbearer: {ours * 1e3:.2f} ms; the same"
            f" one with its own token, by the same proxy: {theirs * 1e3:.2f} ms"
            f" (median of {measure.REQUESTS} each)"
        )
        starts = [measure.mitmdump_start(self.stage) for _ in range(2)]
        best = min((start for start in starts if start), default=None)
        if best is not None:
            self.told.note(
                f"everbearer serve is ready after {self.started:.2f} s, mitmdump"
                f" alone after {best:.2f} s (the better of 2 each)"
            )

    # -- what they have in common ---------------------------------------------

    def _heal(self, how: str, profile: str) -> None:
        self._control_call(f"tokens/{how}", {"profile": profile})
        self._seen()
        status = self._asked(*self._field(profile))
        refused, renewed = self._seen(profile)
        self.told.quote("box", f"answers 401: {refused}; token requests: {renewed}")
        self.told.claim(
            (status, refused, renewed) == (_OK, 1, 1),
            "200: the 401 never reached curl, and one renewal was enough",
        )

    def _control_call(self, path: str, body: dict[str, object]) -> None:
        url = f"{self._control}/_sandbox/{path}"
        arguments = ("-s", "-d", json.dumps(body), url)
        self.told.command("curl", arguments)
        self.told.quote("box", self.stage.curl(*arguments))

    def _start(self, *arguments: str) -> Child:
        self.told.command("everbearer", arguments)
        return self.stage.everbearer(*arguments)

    def _start_proxy(self) -> None:
        began = time.monotonic()
        self._proxy = self._start(*_SERVE)
        listening = self._proxy.wait_for(r"listening on 127\.0\.0\.1:(\d+)")
        self.started = time.monotonic() - began
        self._port = int(listening[1])
        self._proxy.wait_for("NOT THE REAL BOX")

    def _asked(self, *arguments: str) -> int:
        """Ask by the proxy, show what it said, and return the status."""
        before = len(self._proxy.said())
        status = self._curl(*self._by_proxy(*arguments))
        self._proxy.wait_for(r"GET api\.box\.com/2\.0/users/me \d+ ", before)
        for line in self._proxy.said(before):
            self.told.quote("proxy", line)
        return status

    def _by_proxy(self, *arguments: str) -> tuple[str, ...]:
        trust = "mitmproxy/mitmproxy-ca-cert.pem"
        proxy = f"http://127.0.0.1:{self._port}"
        return (*_WITH_STATUS, "-x", proxy, "--cacert", trust, *arguments, EXAMPLE)

    def _curl(self, *arguments: str) -> int:
        self.told.command("curl", arguments)
        body, status = _taken_apart(self.stage.curl(*arguments))
        self.told.answer(body, status)
        return status

    def _field(self, profile: str) -> tuple[str, ...]:
        # dev is the default.
        return () if profile == "dev" else ("-H", f"Everbearer-Profile: {profile}")

    def _seen(self, profile: str = "dev") -> tuple[int, int]:
        """
        Return how many 401s and token requests Box saw since the last look.

        Only token requests of the profile's grant: another one's may be renewed
        by its timer meanwhile.
        """
        url = f"{self._control}/_sandbox/requests"
        asked = json.loads(_ask("GET", url))["requests"]
        _ask("DELETE", url)
        grant = _GRANTS[profile]
        return (
            sum(each["status"] == _UNAUTHORIZED for each in asked),
            sum((each["grant_type"] or "").endswith(grant) for each in asked),
        )


def _taken_apart(printed: str) -> tuple[str, int]:
    """Return the body and the status (0: none) that curl printed."""
    body, _, status = printed.rstrip().rpartition("\n")
    return body, int(status) if status.isdecimal() else 0


def _ask(method: str, url: str) -> bytes:
    """Ask the control API; no *_PROXY leads away from it."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, method=method)  # noqa: S310 - http, loopback
    with direct.open(request) as answer:
        body: bytes = answer.read()
    return body
