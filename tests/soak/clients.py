"""Clients that ask all the time and know what the answer must be."""

from __future__ import annotations

import hashlib
import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness import Answer, Proxy
from soak.fleet import Fleet
from soak.ledger import Ledger
from tunnel import Tunnel

PROFILES = ("dev", "jwt", "ccg")
ME = "/2.0/users/me"
UPLOAD = "/api/2.0/files/content"
MULTIPART = "multipart/form-data; boundary=frontier"
UPLOADS = frozenset({"upload", "chunked upload"})
KIB = 1024
PAUSE = 2.0
"""Seconds after which a token that was dead at its first use has been renewed."""
BOXS_OWN = frozenset({"502 token_response_malformed", "503 token_endpoint_unavailable"})
"""Refusals while the token endpoint misbehaves and the old token is dead."""


@dataclass
class Client:
    """
    One client: a request, a pause, another request, by any proxy of the fleet.

    What was neither answered as it should be nor refused for a misbehaving token
    endpoint, although the proxy lived on, is a loss: a 401, other bytes than were
    sent, a connection that broke, a grant that has to be made again.
    """

    fleet: Fleet
    ledger: Ledger
    chance: random.Random
    stopped: threading.Event
    pause: float
    weights: tuple[int, int, int] = (10, 2, 1)

    def run(self) -> None:
        """Ask until it is stopped."""
        while not self.stopped.wait(self.chance.random() * 2 * self.pause):
            self.once()

    def once(self) -> None:
        """Send one request and judge its end."""
        member, proxy, ends = self.fleet.pick(self.chance)
        profile = self.chance.choice(PROFILES)
        (kind,) = self.chance.choices(list(KINDS), self.weights)
        began = time.monotonic()
        try:
            host = "upload.box.com" if kind in UPLOADS else "api.box.com"
            with Tunnel(proxy, host) as tunnel:
                flaw = KINDS[kind](tunnel, profile, self.chance)
        except (OSError, http.client.HTTPException) as error:
            if self.fleet.ended_since(member, ends):
                self.ledger.failure("its proxy was ended")
            else:
                self.ledger.loss(f"{kind} as {profile}: {type(error).__name__} {error}")
            return
        if not flaw:
            self.ledger.answer(kind, time.monotonic() - began)
        elif self.fleet.ended_since(member, ends) and flaw.startswith("50"):
            self.ledger.failure("its proxy was stopping")
        elif flaw in BOXS_OWN:
            self.ledger.failure(flaw)
        elif flaw.startswith("401") and self.ledger.died_since(began - PAUSE):
            # A request is replayed once; the token of the replay died as well.
            self.ledger.failure("two tokens died under it")
        else:
            self.ledger.loss(f"{kind} as {profile}: {flaw}")


def get(tunnel: Tunnel, profile: str, chance: random.Random) -> str:
    """Ask who we are; the answer is somebody."""
    del chance
    answer = tunnel.ask("GET", ME, Everbearer_Profile=profile)
    if answer.status != 200 or answer.json.get("type") != "user":
        return _told(answer)
    return ""


def upload(tunnel: Tunnel, profile: str, chance: random.Random) -> str:
    """Upload a file of known length; the server keeps these bytes, until deleted."""
    content = chance.randbytes(chance.randrange(1, 300 * KIB))
    body = _multipart(content, chance)
    answer = tunnel.ask(
        "POST", UPLOAD, body, Content_Type=MULTIPART, Everbearer_Profile=profile
    )
    return _kept(answer, content)


def chunked(tunnel: Tunnel, profile: str, chance: random.Random) -> str:
    """Upload a file in chunks, its length unknown; the server keeps these bytes."""
    content = chance.randbytes(chance.randrange(64 * KIB, 2048 * KIB))
    body = _multipart(content, chance)
    tunnel.begin(
        "POST",
        UPLOAD,
        Content_Type=MULTIPART,
        Transfer_Encoding="chunked",
        Everbearer_Profile=profile,
    )
    for start in range(0, len(body), 64 * KIB):
        piece = body[start : start + 64 * KIB]
        tunnel.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    tunnel.send(b"0\r\n\r\n")
    return _kept(tunnel.answer(), content)


KINDS: dict[str, Callable[[Tunnel, str, random.Random], str]] = {
    "GET": get,
    "upload": upload,
    "chunked upload": chunked,
}


def _multipart(content: bytes, chance: random.Random) -> bytes:
    name = f"soak-{chance.getrandbits(64):016x}"
    return (
        b"--frontier\r\n"
        b'Content-Disposition: form-data; name="attributes"\r\n\r\n'
        b'{"name": "%s", "parent": {"id": "0"}}\r\n--frontier\r\n'
        b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        b"%s\r\n--frontier--\r\n" % (name.encode(), content)
    )


def _kept(answer: Answer, content: bytes) -> str:
    if answer.status != 201:
        return _told(answer)
    [made] = answer.json["entries"]
    if made["sha1"] != hashlib.sha1(content).hexdigest():
        return "another body arrived than was sent"
    return ""


def _told(answer: Answer) -> str:
    try:
        code = answer.json.get("code")
    except ValueError:
        code = answer.body[:80]
    return f"{answer.status} {code}"


def ask_each(proxy: Proxy, patience: float) -> list[str]:
    """Return why a proxy does not answer for a profile, one reason each."""
    flaws = []
    for profile in PROFILES:
        end = time.monotonic() + patience
        while True:
            with Tunnel(proxy) as tunnel:
                flaw = get(tunnel, profile, random.Random())
            if not flaw or time.monotonic() > end:
                break
        if flaw:
            flaws.append(f"{profile}: {flaw}")
    return flaws
