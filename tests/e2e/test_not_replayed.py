"""Where a token goes and where none does; what is neither renewed nor replayed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from harness import Place, Proxy, Sandbox
from own_tokens import TOKEN_URL, app, own_token

API = "https://api.box.com"
REVOKE_URL = f"{API}/oauth2/revoke"


# A rule that would cover everything, were it not for what Box's preset excludes.
WIDE = """
[[rules]]
hosts = ["api.box.com", "dl.boxcloud.com"]
profiles = ["dev"]
existing_authorization = "heal"
"""


@dataclass
class Stage:
    """
    A sandbox and a proxy whose profile acts for the owner.

    `wide` is another proxy with the same profile and the rule above.
    """

    place: Place
    sandbox: Sandbox
    proxy: Proxy
    wide: Proxy

    def by(self, rules: str) -> Proxy:
        """Return the proxy with the preset's rules or the wide one."""
        return self.wide if rules == "wide" else self.proxy

    def forget(self) -> None:
        """Have the token there already, and start counting now."""
        for proxy in (self.proxy, self.wide):
            assert proxy.curl(f"{API}/2.0/users/me").status == 200
        self.sandbox.forget()

    def entries(self) -> list[tuple[str, str, int, int]]:
        """Return method, path, status and number of tokens of each request."""
        return [
            (r["method"], r["path"], r["status"], r["authorization_count"])
            for r in self.sandbox.requests()
        ]


both_rules = pytest.mark.parametrize("rules", ["preset", "wide"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Start both."""
    place = Place(tmp_path_factory.mktemp("not_replayed"))
    try:
        sandbox = Sandbox(place)
        proxy = Proxy(place, sandbox.state / "refresh_token.toml")
        wide = Proxy(place, sandbox.config("wide", WIDE, "refresh_token"))
        yield Stage(place, sandbox, proxy, wide)
    finally:
        place.close()


@pytest.mark.parametrize("status", [401, 403])
def test_insufficient_scope_comes_back(stage: Stage, status: int):
    """Renewing would not help: one request, no renewal, the answer as it was."""
    stage.forget()
    says = 'Bearer realm="Service", error="insufficient_scope"'
    effect = {"status": status, "body": "", "fields": {"WWW-Authenticate": says}}
    stage.sandbox.fault(effect, path="/2.0/folders/0", times=1)

    answer = stage.proxy.curl(f"{API}/2.0/folders/0")

    assert answer.status == status
    assert answer.fields["www-authenticate"] == says
    assert stage.entries() == [("GET", "/2.0/folders/0", status, 1)]


def test_403_of_a_downscoped_token_comes_back(stage: Stage):
    """What Box says to a token that may not is given to the client whole."""
    stage.forget()
    stage.sandbox.fault({"status": 403}, path="/2.0/folders/0", times=1)

    answer = stage.proxy.curl(f"{API}/2.0/folders/0")

    assert answer.status == 403
    assert "insufficient_scope" in answer.fields["www-authenticate"]
    assert stage.entries() == [("GET", "/2.0/folders/0", 403, 1)]


@both_rules
def test_token_request_of_a_client_is_untouched(stage: Stage, rules: str):
    """The client's own exchange goes through as it is, without a token of ours."""
    stage.forget()
    seed = stage.sandbox.call("POST", "refresh_tokens")["refresh_token"]
    form = ["-d", "grant_type=refresh_token", "-d", f"refresh_token={seed}"]

    answer = stage.by(rules).curl(*app(stage.sandbox), *form, TOKEN_URL)

    assert answer.status == 200
    assert answer.json["refresh_token"] != seed
    assert stage.entries() == [("POST", "/oauth2/token", 200, 0)]


@both_rules
@pytest.mark.parametrize("status", [400, 401])
def test_failed_token_request_of_a_client_comes_back(
    stage: Stage, rules: str, status: int
):
    """An error of the token endpoint is the client's: not replayed, not renewed."""
    stage.forget()
    problem = {"error": "invalid_grant", "error_description": "Invalid refresh token"}
    if status == 401:
        effect = {"status": 401, "body": problem}
        stage.sandbox.fault(effect, path="/oauth2/token", times=1)
    form = ["-d", "grant_type=refresh_token", "-d", "refresh_token=nonsense"]

    answer = stage.by(rules).curl(*app(stage.sandbox), *form, TOKEN_URL)

    assert (answer.status, answer.json["error"]) == (status, "invalid_grant")
    assert stage.entries() == [("POST", "/oauth2/token", status, 0)]


@both_rules
@pytest.mark.parametrize("field", ["Bearer {{access_token}}", "Basic dXNlcjpwYXNz"])
def test_field_of_a_token_request_is_untouched(stage: Stage, rules: str, field: str):
    """Not even a placeholder is replaced on the way to the token endpoint."""
    stage.forget()
    stage.by(rules).curl("-H", f"Authorization: {field}", "-d", "a=b", TOKEN_URL)
    [entry] = stage.sandbox.requests(path="/oauth2/token")
    labels = [t["label"] for t in stage.sandbox.call("GET", "tokens")]
    assert entry["token_label"] not in labels


@both_rules
def test_revocation_by_a_client_is_untouched(stage: Stage, rules: str):
    """A client revokes its own token; ours goes on working."""
    token = own_token(stage.sandbox)
    stage.forget()

    form = [*app(stage.sandbox), "-d", f"token={token}"]
    answer = stage.by(rules).curl(*form, REVOKE_URL)

    assert answer.status == 200
    assert stage.entries() == [("POST", "/oauth2/revoke", 200, 0)]
    dead = stage.proxy.curl(
        "-H", f"Authorization: Bearer {token}", f"{API}/2.0/users/me"
    )
    assert dead.status == 401
    assert stage.by(rules).curl(f"{API}/2.0/users/me").status == 200


@both_rules
def test_download_goes_on_without_the_token(stage: Stage, rules: str):
    """The token opens the redirect; its target on dl.boxcloud.com gets none."""
    file = stage.sandbox.call(
        "POST", "files", {"size": 1000, "name": f"thousand {rules}"}
    )
    stage.forget()

    answer = stage.by(rules).curl("-L", f"{API}/2.0/files/{file['id']}/content")

    assert answer.status == 200
    assert len(answer.body) == 1000
    first, second = stage.sandbox.requests()
    assert (first["status"], first["authorization_count"]) == (302, 1)
    assert re.fullmatch("/d/1/.+/download", second["path"])
    assert (second["host"], second["authorization_count"]) == ("dl.boxcloud.com", 0)


@both_rules
@pytest.mark.parametrize(
    "path", ["/d/1/anything/download", "/2.0/zip_downloads/anything/content"]
)
def test_pre_signed_download_is_neither_renewed_nor_replayed(
    stage: Stage, rules: str, path: str
):
    """A 401 for an address that is its own credential comes back."""
    stage.forget()
    stage.sandbox.fault({"status": 401}, path=path, times=1)

    answer = stage.by(rules).curl(f"https://dl.boxcloud.com{path}")

    assert answer.status == 401
    assert stage.entries() == [("GET", path, 401, 0)]


@both_rules
def test_zip_download_gets_no_token(stage: Stage, rules: str):
    """The content of a zip is fetched by its address alone, its status is not."""
    made = stage.sandbox.call("POST", "files", {"size": 10, "name": f"zipped {rules}"})
    asked = f'{{"items":[{{"type":"file","id":"{made["id"]}"}}]}}'
    job = stage.by(rules).curl("-d", asked, f"{API}/2.0/zip_downloads").json
    stage.forget()

    assert stage.by(rules).curl(job["download_url"]).status == 200
    assert stage.by(rules).curl(job["status_url"]).status == 200

    assert [entry[3] for entry in stage.entries()] == [0, 1]


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", f"{API}/2.0/users/me"),
        ("GET", "https://dl.boxcloud.com/api/2.0/internal_files/1/versions/2/x"),
        ("POST", "https://upload.box.com/api/2.0/files/content"),
        ("POST", "https://upload.app.box.com/api/2.0/files/content"),
        ("POST", "https://upload-las.app.box.com/api/2.0/files/content"),
        ("PUT", "https://upload-las.app.box.com/api/2.0/files/upload_sessions/1"),
        ("OPTIONS", f"{API}/2.0/events"),
        ("OPTIONS", f"{API}/2.0/files/content"),
        ("DELETE", f"{API}/2.0/files/1"),
    ],
)
def test_token_goes_where_box_wants_one(stage: Stage, method: str, url: str):
    """Every host of Box's that asks for the token gets it, once."""
    stage.forget()
    answer = stage.proxy.curl("-X", method, url)
    assert answer.status != 401
    [(_, _, status, tokens)] = stage.entries()
    assert (status, tokens) == (answer.status, 1)


@pytest.mark.parametrize(
    "url",
    [
        f"{API}/2.0",
        f"{API}/3.0/users/me",
        f"{API}/",
        "https://dl.boxcloud.com/api/2.0/files/1",
        "https://upload.box.com/2.0/files/content",
        "https://upload.app.box.com/d/1/anything",
    ],
)
def test_token_goes_nowhere_else_on_these_hosts(stage: Stage, url: str):
    """A path of the same hosts that no rule names gets no token."""
    stage.forget()
    stage.proxy.curl(url)
    assert [entry[3] for entry in stage.entries()] == [0]


def test_options_that_asks_for_a_server_is_answered(stage: Stage):
    """An authenticated OPTIONS is no CORS preflight."""
    answer = stage.proxy.curl("-X", "OPTIONS", f"{API}/2.0/events")
    assert answer.status == 200
    assert answer.json["entries"][0]["type"] == "realtime_server"


def test_upload_session_goes_to_the_host_that_box_names(stage: Stage):
    """The address in a preflight's answer takes the upload, with our token."""
    asked = '{"name":"by preflight","parent":{"id":"0"},"size":4}'
    url = f"{API}/2.0/files/content"
    where = stage.proxy.curl("-X", "OPTIONS", "-d", asked, url).json["upload_url"]
    assert where.startswith("https://upload-las.app.box.com/")
    attributes = 'attributes={"name":"by preflight","parent":{"id":"0"}}'
    content = stage.place.root / "four"
    content.write_text("four")

    answer = stage.proxy.curl("-F", attributes, "-F", f"file=@{content}", where)

    assert answer.status == 201
