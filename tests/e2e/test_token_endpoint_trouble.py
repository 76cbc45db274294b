"""What a token endpoint can do wrong, as a client of the proxy sees it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

from config_file import unnamed
from everbearer.broker import Broker
from everbearer.settings.load import load
from everbearer.stores import open_store
from harness import Answer, Place, Proxy, Sandbox

ME = "https://api.box.com/2.0/users/me"
TOKEN = "/oauth2/token"
PROFILES = 60
HOSTS = {
    "account.box.com": {"status": 500},
    "upload.box.com": {"status": 409},
    "upload.app.box.com": {"html": True},
    "dl.boxcloud.com": {"truncate": 20},
    "upload-1.app.box.com": {"silent": True},
}
"""Token endpoints that are out of order for good, each with a host of its own."""

UNAVAILABLE = (503, "token_endpoint_unavailable")
MALFORMED = (502, "token_response_malformed")
DEAD = (502, "reauthorization_required")
REJECTED = (502, "token_request_rejected")

Effect = dict[str, object]


def oauth_error(error: str, description: str = "") -> Effect:
    """Return a token error response (RFC 6749 §5.2)."""
    return {"status": 400, "body": {"error": error, "error_description": description}}


ROWS: dict[str, tuple[Effect, tuple[int, str]]] = {
    "invalid_grant": (oauth_error("invalid_grant", "Refresh token has expired"), DEAD),
    "invalid_client": (oauth_error("invalid_client"), REJECTED),
    "unauthorized_client": (oauth_error("unauthorized_client"), REJECTED),
    "429": ({"status": 429, "retry_after": 100}, UNAVAILABLE),
    "500": ({"status": 500, "retry_after": 100}, UNAVAILABLE),
    "503": ({"status": 503, "retry_after": 100}, UNAVAILABLE),
    "HTML": ({"status": 200, "html": True}, MALFORMED),
    "half an object": ({"status": 200, "body": '{"access_token": "ab'}, MALFORMED),
    "an array": ({"status": 200, "body": []}, MALFORMED),
    "nothing": ({"status": 200, "body": ""}, MALFORMED),
    "50 MB": ({"huge": 50_000_000}, MALFORMED),
    "expires_in 0": ({"expires_in": 0}, MALFORMED),
    "expires_in negative": ({"expires_in": -3600}, MALFORMED),
    "expires_in no number": ({"expires_in": "soon"}, MALFORMED),
    "no access_token": ({"omit": ["access_token"]}, MALFORMED),
    "a redirect": ({"status": 302, "fields": {"Location": ME}}, MALFORMED),
}


@dataclass
class Stage:
    """One proxy with many profiles, so that each test has one without a past."""

    place: Place
    sandbox: Sandbox
    config: Path
    proxy: Proxy
    numbers: Iterator[int] = field(default_factory=count)
    marks: Iterator[int] = field(default_factory=count)

    def profile(self) -> str:
        """Return a profile that nobody has used."""
        return f"p{next(self.numbers)}"

    def ask(self, profile: str) -> Answer:
        return self.proxy.curl("-H", f"Everbearer-Profile: {profile}", ME)

    def failures(self, profile: str) -> list[tuple[str, str]]:
        """Return cause and code of every renewal that failed."""
        # Whatever was said before this line has arrived when it has.
        mark = f"/2.0/mark-{next(self.marks)} "
        nobody = ("-H", "Everbearer-Profile: nobody")
        self.proxy.curl(*nobody, f"https://api.box.com{mark.strip()}")
        self.proxy.process.wait_for(mark)
        line = rf" {profile}: not renewed \((\w+)\), (\w+):"
        return re.findall(line, self.proxy.process.output)

    async def stored(self, profile: str, seconds_left: float) -> None:
        """Put a token into the store that ends in so many seconds of its hour."""
        settings = load(self.config, {})
        broker = Broker(settings, lambda: settings)
        await broker.manager(profile).renew()
        await broker.stop()
        store, key = open_store(settings.store), settings.profiles[profile].key
        record, end = await store.load(key), time.time() + seconds_left
        await store.save(key, replace(record, issued_at=end - 3600, expires_at=end))
        await store.close()


@contextmanager
def make_stage(folder: Path) -> Iterator[Stage]:
    """Run a sandbox, and a proxy with all profiles."""
    place = Place(folder)
    try:
        sandbox = Sandbox(place)
        config = make_config(sandbox)
        stage = Stage(place, sandbox, config, Proxy(place, config))
        yield stage
        assert "Traceback" not in stage.proxy.process.output
        assert "unexpected" not in stage.proxy.process.output
    finally:
        place.close()


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    """
    Give two stages.

    On the "busy" one tokens are renewed in the background, and tried again at any
    time; a fault that is there once would be met by whoever comes first.
    """
    with (
        make_stage(tmp_path_factory.mktemp("calm")) as calm,
        make_stage(tmp_path_factory.mktemp("busy")) as busy,
    ):
        yield {"calm": calm, "busy": busy}


@pytest.fixture
def stage(stages: dict[str, Stage]) -> Iterator[Stage]:
    """Give the calm stage, in order again after each test."""
    yield stages["calm"]
    stages["calm"].sandbox.call("DELETE", "faults")


@pytest.fixture
def busy(stages: dict[str, Stage]) -> Iterator[Stage]:
    """Give the busy stage, in order again after each test."""
    yield stages["busy"]
    stages["busy"].sandbox.call("DELETE", "faults")


def make_config(sandbox: Sandbox) -> Path:
    """Write profiles with a seed each; the last ones ask other hosts for tokens."""
    text = (sandbox.state / "refresh_token.toml").read_text()
    head, tail = text.split("[profiles.dev]")[0], text[text.index("[store]") :]
    (client_id,) = re.findall(r'client_id = "(.*)"', text)
    hosts = [*HOSTS, "refused.box.com"]
    profiles = []
    for name in [*(f"p{n}" for n in range(PROFILES)), *hosts]:
        seed = sandbox.call("POST", "refresh_tokens", {})["refresh_token"]
        path = sandbox.state / f"seed_{name}.txt"
        path.write_text(seed)
        path.chmod(0o600)
        profiles += [
            f'[profiles."{name}"]',
            'provider = "box"',
            'grant = "refresh_token"',
            f'client_id = "{client_id}"',
            'client_secret = { file = "dev_client_secret.txt" }',
            f'refresh_token = {{ file = "{path.name}" }}',
        ]
        if name in hosts:
            profiles.append(f'token_url = "https://{name}{TOKEN}"')
    # Nobody listens on port 1.
    dials = [f'"{host}:443" = "127.0.0.1:{sandbox.port}"' for host in HOSTS]
    dials = [line for line in dials if line not in tail]
    dials.append('"refused.box.com:443" = "127.0.0.1:1"')
    config = sandbox.state / "trouble.toml"
    config.write_text(head + "\n".join(profiles) + "\n" + tail + "\n".join(dials))
    config.chmod(0o600)
    return config


@pytest.mark.parametrize("row", ROWS)
def test_without_a_token_the_client_is_told_the_class(stage: Stage, row: str):
    """The first token cannot be had: status, code, hint, Retry-After; asked once."""
    effect, (status, code) = ROWS[row]
    profile = stage.profile()
    stage.sandbox.fault(effect, path=TOKEN)
    before = stage.proxy.process.peak()

    answer = stage.ask(profile)

    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.fields["content-type"] == "application/problem+json"
    assert answer.fields["proxy-status"].startswith("everbearer; error=")
    assert answer.json["profile"] == profile
    assert answer.json["hint"]
    if status == 503:
        assert 60 < int(answer.fields["retry-after"]) <= 100
    assert stage.failures(profile) == [("first", code)]
    assert stage.proxy.process.peak() - before < 24 * 1024 * 1024


@pytest.mark.parametrize("row", ROWS)
async def test_a_token_that_is_still_valid_goes_on_serving(busy: Stage, row: str):
    """Its renewal in the background fails: requests are answered, people are told."""
    effect, (_, code) = ROWS[row]
    profile = busy.profile()
    await busy.stored(profile, seconds_left=250)
    busy.sandbox.fault(effect, path=TOKEN)

    assert busy.ask(profile).status == 200
    busy.proxy.process.wait_for(rf" {profile}: not renewed \(\w+\), {code}:")
    assert busy.ask(profile).status == 200


@pytest.mark.parametrize("row", ["invalid_grant", "429", "HTML"])
async def test_an_old_token_serves_until_its_true_end(busy: Stage, row: str):
    """In its last seconds a new one is waited for; where there is none it serves."""
    effect, (_, code) = ROWS[row]
    profile = busy.profile()
    await busy.stored(profile, seconds_left=9.5)
    busy.sandbox.fault(effect, path=TOKEN)

    assert busy.ask(profile).status == 200
    assert {failed for _, failed in busy.failures(profile)} == {code}


@pytest.mark.parametrize(
    "effect",
    [
        {"status": 429},
        {"status": 429, "retry_after": 1},
        {"status": 500},
        {"status": 503},
        {"status": 409},
        {"html": True},
        {"disconnect": "before"},
        {"disconnect": "after"},
        {"truncate": 20},
    ],
    ids=str,
)
def test_what_passes_is_waited_for(stage: Stage, effect: Effect):
    """The endpoint fails once: the request is answered all the same."""
    profile = stage.profile()
    stage.sandbox.fault(effect, path=TOKEN, times=1)

    assert stage.ask(profile).status == 200
    assert stage.failures(profile) == [("first", "token_endpoint_unavailable")]


@pytest.mark.parametrize(
    "effect",
    [{"omit": ["expires_in"]}, {"expires_in": "3600"}, {"expires_in": 10**18}],
    ids=str,
)
def test_an_odd_life_is_understood(stage: Stage, effect: Effect):
    """Missing, as text, huge: a token with a bounded life, which serves."""
    profile = stage.profile()
    stage.sandbox.fault(effect, path=TOKEN)

    assert [stage.ask(profile).status for _ in range(2)] == [200, 200]
    assert not stage.failures(profile)


def test_the_same_token_again_after_its_refusal_is_malformed(stage: Stage):
    """A 401, and the endpoint gives the refused token once more: 502, no loop."""
    profile = stage.profile()
    assert stage.ask(profile).status == 200
    stage.sandbox.fault({"same_token": True}, path=TOKEN)
    stage.sandbox.call("POST", "tokens/revoke", {})

    answer = stage.ask(profile)

    assert (answer.status, answer.json["code"]) == MALFORMED
    assert stage.failures(profile) == [("rejected", "token_response_malformed")]


async def test_the_same_token_in_the_background_is_no_harm(busy: Stage):
    """A renewal ahead of time that brings the same token: it goes on serving."""
    profile = busy.profile()
    await busy.stored(profile, seconds_left=250)
    busy.sandbox.fault({"same_token": True}, path=TOKEN)

    assert busy.ask(profile).status == 200
    busy.proxy.process.wait_for(rf" {profile}: not renewed .* token again")
    assert busy.ask(profile).status == 200


def test_what_lasts_is_told_when_patience_ends(stage: Stage):
    """
    Out of order for good: 503 with Retry-After after the 30 s of a request's patience.

    500, 409, a proxy's error page, half an answer, none at all, nobody listening:
    each endpoint has its own host, and all are waited for at the same time.
    """
    for host, effect in HOSTS.items():
        stage.sandbox.fault(effect, path=TOKEN, host=host)
    hosts = [*HOSTS, "refused.box.com"]
    with ThreadPoolExecutor(len(hosts)) as pool:
        answers = dict(zip(hosts, pool.map(stage.ask, hosts), strict=True))

    for host, answer in answers.items():
        assert (answer.status, answer.json["code"]) == UNAVAILABLE, host
        assert 1 <= int(answer.fields["retry-after"]) <= 60, host
        assert host in answer.json["detail"] or "answers" in answer.json["detail"]
        assert {code for _, code in stage.failures(host)} <= {UNAVAILABLE[1]}


@pytest.mark.parametrize(
    ("error", "refusal"),
    [("invalid_grant", DEAD), ("invalid_client", REJECTED)],
)
def test_a_last_word_is_asked_for_once(
    place: Place, sandbox: Sandbox, error: str, refusal: tuple[int, str]
):
    """
    After the one call there is none, of any request, process or restart.

    The refusal names what a person does. `renew` asks again, and heals.
    """
    config = sandbox.state / "refresh_token.toml"
    proxy = Proxy(place, config)
    sandbox.fault(oauth_error(error), path=TOKEN)

    answers = [proxy.curl(ME) for _ in range(3)]
    proxy.process.stop()
    proxy = Proxy(place, config)
    answers += [proxy.curl(ME) for _ in range(2)]
    token = place.everbearer("token", "-c", str(config))

    assert {(answer.status, answer.json["code"]) for answer in answers} == {refusal}
    assert token.returncode == 4
    assert len(sandbox.token_requests()) == 1
    (hint,) = {answer.json["hint"] for answer in answers}
    assert "everbearer login dev" in unnamed(hint) or "client_secret" in hint
    assert hint in place.everbearer("status", "-c", str(config)).stderr
    sandbox.call("DELETE", "faults")
    assert place.everbearer("renew", "-c", str(config), "dev").returncode == 0
    # The running proxy takes the new token from the store.
    assert proxy.curl(ME).status == 200
    assert len(sandbox.token_requests()) == 2
    assert "Traceback" not in proxy.process.output
