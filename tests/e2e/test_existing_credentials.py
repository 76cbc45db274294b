"""What becomes of a credential that the client sends itself."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from harness import Answer, Place, Proxy, Sandbox
from own_tokens import dead_token, own_token

ME = "https://api.box.com/2.0/users/me"
FILE = "https://api.box.com/2.0/files/{}/content"
FOLDERS = "https://api.box.com/2.0/folders"
OURS = "AutomationUser_300002_1@boxdevedition.com"
ITS_OWN = "olivia@example.com"

RULE = """
[[rules]]
hosts = ["api.box.com"]
paths = ["/2.0/*"]
profiles = ["ccg", "jwt"]
existing_authorization = "{}"

[proxy]
placeholder = "PUT-TOKEN-HERE"
"""


@dataclass
class Stage:
    """A sandbox, and a proxy for each policy."""

    place: Place
    sandbox: Sandbox
    proxies: dict[str, Proxy]

    def proxy(self, policy: str) -> Proxy:
        if policy not in self.proxies:
            config = self.sandbox.config(policy, RULE.format(policy))
            text = config.read_text()
            config.write_text(
                text.replace('default_profile = "dev"', 'default_profile = "ccg"')
            )
            self.proxies[policy] = Proxy(self.place, config)
        return self.proxies[policy]

    def ask(self, policy: str, authorization: str | None, *more: str) -> Answer:
        """Ask who we are, with Authorization as given."""
        field = (
            [] if authorization is None else ["-H", f"Authorization: {authorization}"]
        )
        self.sandbox.forget()
        return self.proxy(policy).curl(*field, *(more or (ME,)))

    def seen(self) -> list[tuple[int, str]]:
        """Return the status and the kind of token of each request at the sandbox."""
        tokens = self.sandbox.call("GET", "tokens")
        profiles = {token["label"]: token["profile"] for token in tokens}
        return [
            (entry["status"], profiles.get(entry["token_label"], "none"))
            for entry in self.sandbox.requests()
            if entry["path"] != "/oauth2/token"
        ]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start a sandbox; proxies follow as they are needed."""
    place = Place(tmp_path_factory.mktemp("existing"))
    try:
        yield Stage(place, Sandbox(place), {})
    finally:
        place.close()


def check_ours(answer: Answer) -> None:
    """Check that the answer is for the profile's user."""
    assert answer.status == 200, answer
    assert answer.json["login"] == OURS


PLACEHOLDERS = [
    "Bearer {{access_token}}",
    "{{access_token}}",
    "bearer {{ access_token }}",
    "Bearer {access_token}",
    "Bearer $TOKEN",
    "Bearer ${TOKEN}",
    "Bearer %TOKEN%",
    "Bearer <token>",
    "Bearer undefined",
    "Bearer null",
    "Bearer [object Object]",
    "Bearer PUT-TOKEN-HERE",
    "Bearer",
    "Bearer   ",
    "Bearer [everbearer:0123456789ab]",
]


@pytest.mark.parametrize("policy", ["fill", "heal", "replace"])
@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_what_is_no_token_is_replaced(stage: Stage, value: str, policy: str):
    """An unresolved variable, nothing, or a mark of ours gives way to our token."""
    check_ours(stage.ask(policy, value))
    assert stage.seen() == [(200, "ccg")]


@pytest.mark.parametrize(
    "field", ["Authorization;", "authorization;", "AUTHORIZATION;"]
)
def test_empty_field_is_filled(stage: Stage, field: str):
    """A field without a value is taken for none."""
    check_ours(stage.ask("fill", None, "-H", field, ME))


@pytest.mark.parametrize("name", ["authorization", "AUTHORIZATION", "aUTHORIZATION"])
def test_name_is_the_same_in_any_case(stage: Stage, name: str):
    """However the field is spelt, a placeholder in it goes and one field is sent."""
    answer = stage.ask("fill", None, "-H", f"{name}: Bearer {{{{access_token}}}}", ME)
    check_ours(answer)
    [entry] = stage.sandbox.requests(path="/2.0/users/me")
    assert entry["authorization_count"] == 1


@pytest.mark.parametrize("policy", ["fill", "heal", "replace", "keep"])
def test_two_fields_never_go_out(stage: Stage, policy: str):
    """Two Authorization fields, whatever their spelling, are refused."""
    two = ("-H", "Authorization: Bearer a", "-H", "authorization: Bearer {{b}}", ME)

    answer = stage.ask(policy, None, *two)

    assert (answer.status, answer.json["code"]) == (400, "several_authorizations")
    assert stage.seen() == []


def test_two_credentials_in_one_field_never_go_out(stage: Stage):
    """A pair of credentials that somebody joined by a comma is two."""
    answer = stage.ask("fill", "Bearer a, Bearer b")
    assert (answer.status, answer.json["code"]) == (400, "several_authorizations")
    assert stage.seen() == []


@pytest.mark.parametrize("policy", ["fill", "heal", "keep"])
def test_good_token_of_the_client_is_respected(stage: Stage, policy: str):
    """The client's own token goes out as it is and is answered as its user's."""
    token = own_token(stage.sandbox)
    answer = stage.ask(policy, f"Bearer {token}")
    assert answer.status == 200
    assert answer.json["login"] == ITS_OWN
    assert stage.seen() == [(200, "dev")]


@pytest.mark.parametrize("policy", ["fill", "keep"])
def test_401_for_a_token_of_the_client_comes_back(stage: Stage, policy: str):
    """A dead token's 401 is the client's, as it was, with a hint in the log."""
    token = dead_token(stage.sandbox)

    answer = stage.ask(policy, f"Bearer {token}")

    assert answer.status == 401
    assert 'error="invalid_token"' in answer.fields["www-authenticate"]
    assert answer.body == b""
    assert stage.seen() == [(401, "none")]
    assert not stage.sandbox.token_requests()
    stage.proxy(policy).process.wait_for(r"401 .*client_token .*existing_authorization")


def test_other_scheme_of_the_client_is_respected(stage: Stage):
    """Basic credentials are the client's own as well."""
    assert stage.ask("fill", "Basic dXNlcjpwYXNz").status == 401
    assert stage.seen() == [(401, "none")]


def test_placeholder_goes_out_under_keep(stage: Stage):
    """Under keep whatever the client sends stays, even what is no token."""
    assert stage.ask("keep", "Bearer {{access_token}}").status == 401
    assert len(stage.seen()) == 1


def test_nothing_is_filled_under_keep(stage: Stage):
    """Under keep a request without any credential gets one."""
    check_ours(stage.ask("keep", None))


def test_redaction_mark_is_refused_under_keep(stage: Stage):
    """Under keep a mark of ours neither goes out nor is replaced."""
    answer = stage.ask("keep", "Bearer [everbearer:0123456789ab]")
    assert (answer.status, answer.json["code"]) == (400, "redacted_token")
    assert stage.seen() == []


def test_token_of_ours_that_has_died_is_healed(place: Place, sandbox: Sandbox):
    """A client that kept a token of ours is served with the one in force."""
    stage = Stage(place, sandbox, {})
    check_ours(stage.ask("fill", None))
    [entry] = sandbox.requests(path="/2.0/users/me")
    [ours] = [
        token
        for token in sandbox.call("GET", "secrets")["tokens"]
        if hashlib.sha256(token.encode()).hexdigest()[:12] == entry["token_label"]
    ]
    sandbox.revoke(access_token=ours)

    check_ours(stage.ask("fill", f"Bearer {ours}"))  # meets the 401 first
    assert [status for status, _ in stage.seen()] == [401, 200]
    check_ours(stage.ask("fill", f"Bearer {ours}"))
    assert stage.seen() == [(200, "ccg")]


# -- heal -------------------------------------------------------------------------


def test_healed_token_is_replaced_from_then_on(stage: Stage):
    """The first 401 is healed; after it the token is replaced before it is sent."""
    token = f"Bearer {dead_token(stage.sandbox)}"

    check_ours(stage.ask("heal", token))
    assert stage.seen() == [(401, "none"), (200, "ccg")]
    check_ours(stage.ask("heal", token))
    assert stage.seen() == [(200, "ccg")]


def test_healing_is_for_this_token_alone(stage: Stage):
    """Another token of the same client is tried first, and respected if it is good."""
    check_ours(stage.ask("heal", f"Bearer {dead_token(stage.sandbox)}"))

    check_ours(stage.ask("heal", f"Bearer {dead_token(stage.sandbox)}"))
    assert stage.seen() == [(401, "none"), (200, "ccg")]
    good = stage.ask("heal", f"Bearer {own_token(stage.sandbox)}")
    assert good.json["login"] == ITS_OWN


def test_healing_is_for_this_profile_alone(stage: Stage):
    """What was healed for one profile is tried anew for another."""
    token = f"Bearer {dead_token(stage.sandbox)}"
    check_ours(stage.ask("heal", token))

    other = stage.ask("heal", token, "-H", "Everbearer-Profile: jwt", ME)

    assert other.json["login"].startswith("AutomationUser_300001")
    assert stage.seen() == [(401, "none"), (200, "jwt")]


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has all of 127/8 on its loopback"
)
def test_healing_is_for_this_client_alone(stage: Stage):
    """What was healed for one client is tried anew for another address."""
    token = f"Bearer {dead_token(stage.sandbox)}"
    check_ours(stage.ask("heal", token))

    check_ours(stage.ask("heal", token, "--interface", "127.0.0.2", ME))
    assert stage.seen() == [(401, "none"), (200, "ccg")]


def test_healed_body_arrives_whole(stage: Stage):
    """A request with a body is healed with the same bytes."""
    form = '{"name":"healed","parent":{"id":"0"}}'
    token = f"Bearer {dead_token(stage.sandbox)}"

    answer = stage.ask("heal", token, "-d", form, FOLDERS)

    assert answer.status == 201
    digest = hashlib.sha256(form.encode()).hexdigest()
    entries = stage.sandbox.requests(path="/2.0/folders")
    assert [(entry["status"], entry["body_sha256"]) for entry in entries] == [
        (401, digest),
        (201, digest),
    ]


def test_401_for_another_reason_is_not_healed(stage: Stage):
    """A 401 that says something else than invalid_token is the client's."""
    says = 'Bearer realm="Service", error="insufficient_scope"'
    effect = {"status": 401, "body": "", "fields": {"WWW-Authenticate": says}}
    stage.sandbox.fault(effect, path="/2.0/users/me", times=1)
    assert stage.ask("heal", f"Bearer {own_token(stage.sandbox)}").status == 401
    assert len(stage.seen()) == 1


# -- replace, and tokens in the query ---------------------------------------------


def test_replace_replaces_a_good_token(stage: Stage):
    """Under replace even a token that is good gives way to ours."""
    check_ours(stage.ask("replace", f"Bearer {own_token(stage.sandbox)}"))
    assert stage.seen() == [(200, "ccg")]


def test_replace_replaces_another_scheme(stage: Stage):
    """Under replace Basic credentials give way as well."""
    check_ours(stage.ask("replace", "Basic dXNlcjpwYXNz"))


@pytest.fixture(scope="module")
def file(stage: Stage) -> str:
    """Make a file of the owner's, and return where its content is."""
    file = stage.sandbox.call("POST", "files", {"size": 10, "name": "ten"})
    return FILE.format(file["id"])


@pytest.mark.parametrize("name", ["access_token", "access%5Ftoken", "%61ccess_token"])
@pytest.mark.parametrize("policy", ["fill", "heal", "keep"])
def test_token_in_the_query_is_the_clients(
    stage: Stage, file: str, policy: str, name: str
):
    """A token in the query, however spelt, is respected: no second one is sent."""
    url = f"{file}?version=1&{name}={own_token(stage.sandbox)}"

    answer = stage.ask(policy, None, url)

    assert answer.status == 302
    [entry] = stage.sandbox.requests(host="api.box.com", method="GET")
    assert entry["authorization_count"] == 0


def test_token_in_the_query_that_is_dead(stage: Stage, file: str):
    """Its 401 is the client's."""
    url = f"{file}?access_token={dead_token(stage.sandbox)}"
    assert stage.ask("fill", None, url).status == 401
    assert stage.seen() == [(401, "none")]


def test_token_in_the_query_is_healed(stage: Stage, file: str):
    """Under heal the replay carries ours in the field and none in the query."""
    url = f"{file}?version=1&access_token={dead_token(stage.sandbox)}"
    answer = stage.ask("heal", None, url)
    assert answer.status in {302, 404}
    first, second = stage.sandbox.requests(host="api.box.com", method="GET")
    assert (first["status"], first["authorization_count"]) == (401, 0)
    assert (second["query"], second["authorization_count"]) == ("version=1", 1)


def test_token_in_the_query_is_replaced(stage: Stage, file: str):
    """Under replace the query's token is taken out, the rest of it stays."""
    token = own_token(stage.sandbox)
    stage.ask("replace", None, f"{file}?a=1&access_token={token}&b=2")
    [entry] = stage.sandbox.requests(host="api.box.com", method="GET")
    assert (entry["query"], entry["authorization_count"]) == ("a=1&b=2", 1)


# -- saved flows ------------------------------------------------------------------


@pytest.fixture
def saved(place: Place, sandbox: Sandbox) -> Callable[[], list[HTTPFlow]]:
    """Save the flow of one answered request; give what reads it from the file."""
    flows = place.root / "flows"
    config = sandbox.state / "client_credentials.toml"
    proxy = Proxy(place, config, mitmproxy=("-w", str(flows)))
    assert proxy.curl(ME).status == 200
    assert proxy.process.stop() == 0

    def read() -> list[HTTPFlow]:
        with flows.open("rb") as file:
            found = [f for f in FlowReader(file).stream() if isinstance(f, HTTPFlow)]
        return [flow for flow in found if "everbearer.question" not in flow.metadata]

    return read


def test_redaction_mark_sent_by_hand_is_replaced(
    place: Place, sandbox: Sandbox, saved: Callable[[], list[HTTPFlow]]
):
    """A request copied from a saved flow, mark and all, is answered."""
    [flow] = saved()
    mark = flow.request.headers["authorization"]
    assert mark.startswith("Bearer [everbearer:")
    proxy = Proxy(place, sandbox.state / "client_credentials.toml")

    answer = proxy.curl("-H", f"Authorization: {mark}", ME)

    check_ours(answer)


def test_saved_flow_replayed_by_mitmproxy_is_answered(
    place: Place, sandbox: Sandbox, saved: Callable[[], list[HTTPFlow]]
):
    """A saved flow that mitmproxy itself replays gets a token in force."""
    assert len(saved()) == 1
    sandbox.revoke()
    sandbox.forget()
    flows = str(place.root / "flows")
    Proxy(place, sandbox.state / "client_credentials.toml", mitmproxy=("-C", flows))

    entries = sandbox.wait(2, path="/2.0/users/me", phase="answered")

    assert [entry["status"] for entry in entries] == [401, 200]
    assert [entry["authorization_count"] for entry in entries] == [1, 1]
