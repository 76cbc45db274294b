"""Clients' own secrets reach the server whole, and no saved flow has them."""

from __future__ import annotations

import hashlib
import urllib.parse
from pathlib import Path

import pytest

from canary import Canaries, written
from harness import Place, Sandbox
from recorder import ME, Recorder, post

API = "https://api.box.com"
SHARED = "https://app.box.com/s/canary-link-7f3a0123456789"
PASSWORD = "canary-password-7f3a0123456789"
CAPABILITY = "b1!canary-capability-7f3a0123456789"
CANARY = "canary-parameter-7f3a0123456789"
BACKUP = Path(__file__).with_name("backup_script.py")

edited = pytest.mark.parametrize(
    "script", [(), ("-s", str(BACKUP))], ids=["", "edited"]
)


def canaries(sandbox: Sandbox) -> Canaries:
    """Know the secrets of the sandbox, and those that clients send here."""
    more = {"link": SHARED, "password": PASSWORD, "capability": CAPABILITY}
    return Canaries(sandbox, more | {"parameter": CANARY})


def check(recorder: Recorder, place: Place, sandbox: Sandbox) -> bytes:
    """End the proxy, look for secrets, and return what it saved."""
    recorder.stop()
    known = canaries(sandbox)
    assert not known.in_text(recorder.output)
    assert not known.in_files(written(place))
    return recorder.saved()


@edited
def test_the_password_of_a_shared_link_is_sent_and_not_saved(
    place: Place, sandbox: Sandbox, script: tuple[str, ...]
):
    """BoxApi arrives as it was sent, on the replay after a 401 too."""
    recorder = Recorder(place, sandbox.state / "all.toml", *script)
    assert recorder.ask("ccg").status == 200
    sandbox.revoke()
    sandbox.forget()
    value = f"shared_link={SHARED}&shared_link_password={PASSWORD}"

    assert recorder.ask("ccg", "-H", f"BoxApi: {value}", ME).status == 200

    asked = sandbox.requests(path="/2.0/users/me")
    assert [entry["status"] for entry in asked] == [401, 200]
    assert [entry["box_api"] for entry in asked] == [value, value]
    # The first one and its replay, in both formats.
    assert check(recorder, place, sandbox).lower().count(b"boxapi") >= 4


@edited
def test_an_address_that_is_a_credential_is_asked_and_not_saved(
    place: Place, sandbox: Sandbox, script: tuple[str, ...]
):
    """Pre-signed downloads and zips: of their path only the kind is saved."""
    recorder = Recorder(place, sandbox.state / "all.toml", *script)
    paths = [
        f"/d/1/{CAPABILITY}/download",
        f"/2.0/zip_downloads/{CAPABILITY}/content",
    ]
    for path in paths:
        recorder.proxy.curl(f"https://dl.boxcloud.com{path}?sign={CANARY}")
    # Refused, and yet the credential for the right host.
    assert recorder.ask("ccg", f"{API}{paths[0]}", "-H", "Host: x.test").status == 421

    asked = [(entry["path"], entry["query"]) for entry in sandbox.requests()]
    assert asked == [(path, f"sign={CANARY}") for path in paths]
    saved = check(recorder, place, sandbox)
    assert saved.count(b"/d/1/****") >= 3
    assert saved.count(b"/2.0/zip_downloads/****") >= 2


QUERIES = [
    "client_secret",
    "refresh_token",
    "assertion",
    "code",
    "token",
    "shared_link_password",
    "client%5Fsecret",
]


@edited
def test_a_secret_in_a_query_is_sent_and_not_saved(
    place: Place, sandbox: Sandbox, script: tuple[str, ...]
):
    """Wherever a client puts it: the token endpoint, the API, a path of nobody's."""
    recorder = Recorder(place, sandbox.state / "all.toml", *script)
    queries = [f"a=b&{name}={CANARY}&c=d" for name in QUERIES]
    for query in queries:
        recorder.ask("ccg", f"{ME}?{query}")
    post(recorder, f"{API}/oauth2/token?{queries[0]}", {"grant_type": "x"})
    recorder.ask("ccg", f"{API}/nowhere?{queries[0]}")

    asked = [r["query"] for r in sandbox.requests() if r["query"]]
    assert asked == [*queries, queries[0], queries[0]]
    saved = check(recorder, place, sandbox)
    assert saved.count(b"a=b&client_secret=****&c=d") >= 6


FORMS = [
    "client_secret",
    "refresh_token",
    "assertion",
    "subject_token",
    "actor_token",
    "code",
    "password",
]


@edited
@pytest.mark.parametrize(
    "url",
    [
        "https://upload.box.com/oauth2/token",
        f"{API}/api/oauth2/token",
        f"{API}/token",
        f"{API}/2.0/oauth2/token",
        "https://dl.boxcloud.com/nowhere",
    ],
)
def test_a_form_for_a_wrong_token_endpoint_is_sent_and_not_saved(
    place: Place, sandbox: Sandbox, url: str, script: tuple[str, ...]
):
    """Where no token endpoint is, its clients' secrets are theirs all the same."""
    recorder = Recorder(place, sandbox.state / "all.toml", *script)
    forms = [{"grant_type": "x", name: CANARY} for name in FORMS]
    for form in forms:
        post(recorder, url, form)

    sent = [urllib.parse.urlencode(form).encode() for form in forms]
    digests = [hashlib.sha256(body).hexdigest() for body in sent]
    # Everbearer asks for a token of its own as well, elsewhere.
    to = urllib.parse.urlsplit(url)
    asked = sandbox.requests(host=to.hostname, path=to.path)
    found = [entry["body_sha256"] for entry in asked]
    assert found == digests
    check(recorder, place, sandbox)


@edited
def test_the_answer_of_a_wrong_token_endpoint_is_not_saved(
    place: Place, sandbox: Sandbox, script: tuple[str, ...]
):
    """Should one answer after all, its tokens are the client's alone."""
    recorder = Recorder(place, sandbox.state / "all.toml", *script)
    path = "/api/oauth2/token"
    sandbox.fault({"status": 200, "body": {"access_token": CANARY}}, path=path)
    answer = post(recorder, API + path, {"grant_type": "x", "client_secret": CANARY})
    assert answer.json == {"access_token": CANARY}

    assert path.encode() in check(recorder, place, sandbox)


def test_a_refused_form_is_not_saved(place: Place, sandbox: Sandbox):
    """What never left is kept as little as what did."""
    recorder = Recorder(place, sandbox.state / "all.toml")
    form = {"grant_type": "x", "client_secret": CANARY}
    refused = post(recorder, "http://api.box.com/oauth2/token", form)
    assert refused.status >= 400

    assert b"refused: " in check(recorder, place, sandbox)


def test_other_forms_are_saved(place: Place, sandbox: Sandbox):
    """A form without a secret is there to be read."""
    recorder = Recorder(place, sandbox.state / "all.toml")
    post(recorder, f"{API}/nowhere", {"name": "value-that-is-kept"})

    assert check(recorder, place, sandbox).count(b"value-that-is-kept") >= 2
