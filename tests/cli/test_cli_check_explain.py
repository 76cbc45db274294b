"""`everbearer check` and `everbearer explain`: they look, and touch nothing."""

from __future__ import annotations

import pytest

from everbearer.secret import Secret
from everbearer.users.passwords import hashed

BAD = """
default_profile = "nobody"
[profiles.dev]
provider = "bax"
grant = "refresh_tokn"
clientid = "x"
[[listeners]]
address = "0.0.0.0:8080"
"""

REVERSE = """
[[listeners]]
address = "127.0.0.1:18080"
[[listeners]]
address = "127.0.0.1:18082"
reverse = "https://api.box.com"
profile = "jwt"
"""

TEAM = """
[profiles.dev]
provider = "box"
access_token = "a-token-of-an-hour"
[store]
url = "postgresql://me@{url}"
key = {{ env = "EVERBEARER_STORE_KEY" }}
"""

ME = "https://api.box.com/2.0/users/me"


@pytest.fixture
def reverse(box):
    """Write a configuration with a reverse listener beside the sandbox's own."""
    path = box.folder / "box" / "reverse.toml"
    path.touch(mode=0o600)
    path.write_text((box.folder / "box" / "all.toml").read_text() + REVERSE)
    return "box/reverse.toml"


def test_check_says_what_is_there(typed):
    """A sound configuration is one line on stdout, with its doubts on stderr."""
    told = typed("check -c box/all.toml")
    assert told.code == 0
    assert told.out.startswith("ok: ")
    assert "profiles dev, jwt, ccg, devtoken; " in told.out
    assert "NOT THE REAL BOX: connect_to leads api.box.com" in told.err


def test_check_tells_a_program_the_same(typed):
    """--json has what the line has."""
    told = typed("check --json -c box/all.toml")
    assert told.code == 0
    assert told.json["ok"] is True
    assert told.json["problems"] == []
    assert told.json["profiles"] == ["dev", "jwt", "ccg", "devtoken"]
    assert "api.box.com:443" in told.json["not_the_real_box"]


def test_check_tells_every_problem_at_once(type_in, tmp_path):
    """Five mistakes are five errors with their places and fixes, and exit 2."""
    (tmp_path / "bad.toml").touch(mode=0o600)
    (tmp_path / "bad.toml").write_text(BAD)
    told = type_in("check -c bad.toml")
    assert (told.code, told.out) == (2, "")
    errors = [line for line in told.err.splitlines() if ": error: " in line]
    places = [line.split()[2].rstrip(":") for line in errors]
    assert "profiles.dev.provider" in places
    assert "listeners[0].address" in places
    assert len(errors) >= 4
    in_json = type_in("check --json -c bad.toml")
    assert in_json.code == 2
    assert in_json.json["ok"] is False
    assert [problem["path"] for problem in in_json.json["problems"]] == places
    assert all(problem["fix"] for problem in in_json.json["problems"])


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("db.example.com/eb?sslmode=require", True),
        ("db.example.com/eb?sslmode=verify-full", False),
        ("127.0.0.1/eb", False),
    ],
)
def test_check_warns_of_a_store_that_nobody_verifies(type_in, tmp_path, url, warned):
    """Beyond this machine the server's certificate is checked, or people are told."""
    path = tmp_path / "team.toml"
    path.touch(mode=0o600)
    path.write_text(TEAM.format(url=url))
    told = type_in("check -c team.toml")
    assert told.code == 0
    assert ("warning: store.url: with sslmode=require nobody" in told.err) is warned
    assert ("better: sslmode=verify-full" in told.err) is warned


def test_check_tells_of_a_log_that_is_not_ours(type_in, tmp_path):
    """As a start would; it makes none."""
    config, log = tmp_path / "c.toml", tmp_path / "log"
    config.touch(0o600)
    table = f'[audit]\nfile = "{log}"\n'
    config.write_text(f'[profiles.dev]\nprovider = "box"\naccess_token = "t"\n{table}')
    assert type_in(f"check -c {config}").code == 0
    assert not log.exists()
    log.touch()
    log.chmod(0o606)
    told = type_in(f"check -c {config}")
    assert told.code == 2
    assert f"audit.file: {log} is writable by others" in told.err
    assert f"chmod go-w {log}" in told.err


def test_a_missing_configuration_is_named(type_in, tmp_path):
    """Exit 2 and the path that was looked for."""
    told = type_in("check -c nowhere.toml")
    assert told.code == 2
    assert f"{tmp_path}/nowhere.toml does not exist" in told.err


def test_a_file_of_the_current_folder_is_not_taken(type_in, tmp_path):
    """A config.toml that merely lies here is none of ours."""
    (tmp_path / "config.toml").touch(mode=0o600)
    assert str(tmp_path / "config.toml") not in type_in("check").err


def test_check_and_explain_make_no_store(typed, box):
    """Neither opens the store, so neither makes one."""
    lonely = box.folder / "box" / "lonely.toml"
    lonely.touch(mode=0o600)
    text = (box.folder / "box" / "jwt_bearer.toml").read_text()
    lonely.write_text(text.replace("tokens.db", "lonely.db"))
    assert typed("check -c box/lonely.toml").code == 0
    assert typed(f"explain -c box/lonely.toml GET {ME}").code == 0
    assert not (box.folder / "box" / "lonely.db").exists()


@pytest.mark.parametrize(
    ("request_", "verdict", "profile", "code"),
    [
        (f"GET {ME}", "inject", "dev", "missing"),
        (f"GET {ME} -H 'Everbearer-Profile: ccg'", "inject", "ccg", "missing"),
        (f"GET {ME} -H 'Everbearer-Profile: none'", "pass", None, "profile_none"),
        (f"GET {ME} -H 'Authorization: Bearer x'", "pass", None, "client_token"),
        (
            f"GET {ME} -H 'authorization: Bearer {{{{t}}}}'",
            "inject",
            "dev",
            "placeholder",
        ),
        (f"GET {ME}?access_token=x", "pass", None, "client_token"),
        ("GET https://user:x@api.box.com/2.0/users/me", "pass", None, "client_token"),
        ("POST https://api.box.com/oauth2/token", "pass", None, "passed_by_rule"),
        ("GET http://api.box.com/2.0/users/me", "refuse", None, "insecure_scheme"),
        ("GET https://api.box.com:8443/2.0/users/me", "refuse", None, "wrong_port"),
        (f"GET {ME} -H 'Host: evil.test'", "refuse", None, "misdirected"),
        (f"GET {ME} -H 'Origin: https://evil.test'", "refuse", None, "browser_request"),
        ("GET https://[::1]/2.0/users/me", "pass", None, "unmatched"),
        ("GET https://example.com/", "pass", None, "unmatched"),
    ],
)
def test_explain_tells_what_would_happen(request_, verdict, profile, code, typed):
    """The verdict is the policy's on what the explicit proxy would see."""
    told = typed(f"explain --json -c box/all.toml {request_}")
    assert told.code == 0
    answer = told.json
    assert (answer["verdict"], answer["profile"], answer["code"]) == (
        verdict,
        profile,
        code,
    )


def test_explain_tells_people_rule_reason_and_hint(typed):
    """A refusal has a rule, a reason and what to do about it, one a line."""
    told = typed(f"explain -c box/all.toml GET {ME} -H 'Everbearer-Profile: frob'")
    lines = dict(line.split(maxsplit=1) for line in told.out.splitlines())
    assert lines["verdict"] == "refuse"
    assert lines["rule"] == "box: API"
    assert lines["code"] == "profile_unknown"
    assert lines["hint"].startswith("send Everbearer-Profile with one of: dev, jwt")


@pytest.mark.parametrize(
    ("request_", "verdict", "code"),
    [
        ("GET http://127.0.0.1:18082/2.0/users/me", "inject", "missing"),
        ("GET http://localhost:18082/2.0/users/me", "inject", "missing"),
        (
            "GET http://evil.test/2.0/me --listener 127.0.0.1:18082",
            "refuse",
            "misdirected",
        ),
    ],
)
def test_explain_knows_reverse_listeners(request_, verdict, code, typed, reverse):
    """A URL of a reverse listener is judged as that listener would judge it."""
    answer = typed(f"explain --json -c {reverse} {request_}").json
    assert (answer["verdict"], answer["code"]) == (verdict, code)
    assert answer["listener"] == "127.0.0.1:18082"


def test_explain_refuses_a_listener_that_is_not_there(typed):
    """An unknown --listener is an error that names those there are."""
    told = typed(f"explain -c box/all.toml --listener 127.0.0.1:1 GET {ME}")
    assert told.code == 2
    assert "there are: 127.0.0.1:8080" in told.err


@pytest.mark.parametrize(
    ("words", "verdict", "code", "name"),
    [
        ("", "refuse", "user_required", None),
        ("--user alice", "inject", "missing", "alice"),
        (
            "--user alice -H 'Everbearer-Profile: dev'",
            "refuse",
            "profile_not_of_user",
            "alice",
        ),
    ],
)
def test_explain_knows_proxy_users(words, verdict, code, name, typed, box):
    """Who asks is taken at his word here, and only what he may use serves him."""
    guarded = box.folder / "box" / "guarded.toml"
    guarded.touch(mode=0o600)
    phc = hashed(Secret("correct horse")).phc.reveal()
    guarded.write_text(
        (box.folder / "box" / "all.toml").read_text()
        + f'\n[[proxy.users]]\nname = "alice"\npassword_hash = "{phc}"\n'
        'profiles = ["jwt"]\n'
    )
    told = typed(f"explain --json -c box/guarded.toml {words} GET {ME}").json
    assert (told["verdict"], told["code"], told["user"]) == (verdict, code, name)
    eve = typed(f"explain -c box/guarded.toml --user eve GET {ME}")
    assert eve.code == 2
    assert "there are: alice" in eve.err


@pytest.mark.parametrize("url", ["api.box.com/2.0", "ftp://api.box.com/", "https://"])
def test_explain_wants_a_url(url, typed):
    """What is no http or https URL is an error with an example."""
    told = typed(f"explain -c box/all.toml GET {url}")
    assert told.code == 2
    assert "https://api.box.com/2.0/users/me" in told.err


def test_explain_sends_nothing(typed, box):
    """Neither the API nor the token endpoint hears of it."""
    before = box.call("GET", "requests")["last_seq"]
    typed(f"explain -c box/all.toml GET {ME}")
    assert box.call("GET", "requests")["last_seq"] == before


def test_explain_knows_the_proxys_own_address(typed):
    """The explicit proxy, taken for a server, as `serve` would answer it."""
    told = typed(
        "explain --json -c box/all.toml GET http://127.0.0.1:8080/2.0/users/me"
    )
    assert told.json["code"] == "proxy_is_no_server"
    assert told.json["status"] == 421
