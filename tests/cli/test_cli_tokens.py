"""`everbearer status`, `renew` and `token`, against the sandbox."""

from __future__ import annotations

import asyncio
import os
import re
import time
from dataclasses import replace

import pytest

from cli.terminal import Terminal
from everbearer.cli.configuration import _tell_trouble
from everbearer.events import SaveFailed
from everbearer.secret import Secret
from everbearer.settings.load import load
from everbearer.stores import open_store
from everbearer.stores.contract import Intent, Record


def test_token_prints_a_token_that_works_and_nothing_else(typed, box):
    """Stdout is the token alone; whose it is and how long it lives is on stderr."""
    told = typed("token -c box/all.toml jwt")
    assert told.code == 0
    token = told.out.removesuffix("\n")
    assert token in box.call("GET", "secrets")["tokens"]
    assert token not in told.err
    assert re.search(r"access token of jwt, good for \d+ min", told.err)


def test_a_whole_field_is_printed_for_scripts(typed):
    """`--header` is what follows curl's -H; together with --json it is refused."""
    token = typed("token -c box/all.toml jwt").out.strip()
    told = typed("token --header -c box/all.toml jwt")
    assert told.out == f"Authorization: Bearer {token}\n"
    assert typed("token --header --json -c box/all.toml jwt").code == 2


def test_token_without_a_profile_is_the_default_ones(typed):
    """default_profile is dev; the answer for programs is a token response."""
    told = typed("token --json -c box/all.toml")
    assert told.json["profile"] == "dev"
    assert told.json["token_type"] == "bearer"
    assert 3000 < told.json["expires_in"] <= 3600


def test_a_token_without_a_known_end_has_none(typed):
    """Nobody says when a developer token ends, so neither does everbearer."""
    assert typed("token --json -c box/all.toml devtoken").json["expires_in"] is None


def test_token_is_not_renewed_without_need(typed):
    """A token that is good is printed again, by another process too."""
    first = typed("token -c box/all.toml ccg").out
    assert typed("token -c box/all.toml ccg").out == first


def test_renew_makes_a_new_token(typed):
    """After `renew` the token is another one; nothing is on stdout."""
    before = typed("token -c box/all.toml jwt").out
    told = typed("renew -c box/all.toml jwt")
    assert (told.code, told.out) == (0, "")
    assert "jwt: renewed, good for" in told.err
    assert typed("token -c box/all.toml jwt").out != before


def test_renew_goes_on_after_a_failure_and_tells_it(typed):
    """One profile that cannot be renewed (exit 4) does not keep the others from it."""
    told = typed("renew -c box/all.toml devtoken jwt")
    assert told.code == 4
    assert "error: devtoken: the developer token cannot be renewed" in told.err
    assert "hint: get a new one" in told.err
    assert "jwt: renewed" in told.err


def altered(box, name, old, new):
    """Write the sandbox's whole configuration another time, with one thing changed."""
    path = box.folder / "box" / name
    path.touch(mode=0o600)
    text = (box.folder / "box" / "all.toml").read_text()
    path.write_text(text.replace(old, new))


def test_an_unknown_profile_is_refused_with_the_nearest(typed):
    """A misspelt name is exit 2 and a suggestion; nothing is renewed."""
    told = typed("renew -c box/all.toml jwtt")
    assert told.code == 2
    assert "there is no profile jwtt" in told.err
    assert "did you mean jwt?" in told.err


def test_without_a_default_a_profile_has_to_be_named(typed, box):
    """Which of several is meant is never guessed."""
    altered(box, "nodefault.toml", 'default_profile = "dev"\n', "")
    told = typed("token -c box/nodefault.toml")
    assert (told.code, told.out) == (2, "")
    assert "name one of: dev, jwt, ccg, devtoken" in told.err


def test_status_is_a_table_with_every_profile(typed):
    """One line a profile: grant, client, subject, state, what is left."""
    typed("token -c box/all.toml dev")
    told = typed("status -c box/all.toml")
    head, *rows = told.out.splitlines()
    assert tuple(re.split("  +", head.strip())) == COLUMNS
    assert [row.split()[0] for row in rows] == ["dev", "jwt", "ccg", "devtoken"]
    assert re.search(
        r"^dev .* fresh +\d+ min +until 20\d\d-\d\d-\d\d +\d+ \w+ ago +-", rows[0]
    )
    assert "enterprise 100001" in rows[1]
    assert "NOT THE REAL BOX" in told.err


COLUMNS = (
    *("profile", "grant", "subject", "state", "left"),
    *("refresh token", "last renewal", "served"),
)


@pytest.mark.parametrize("width", ["160", "80", "60"])
@pytest.mark.parametrize("options", [[], ["--watch"]])
def test_status_shows_every_column_at_any_width(options, width, typed, box):
    """What has no room in one table stands in a second, and nothing is cut off."""
    typed("token -c box/all.toml dev")
    words = ["status", "-c", "box/all.toml", *options]
    env = box.stage.env | {"TERM": "xterm", "COLUMNS": width, "LINES": "40"}
    with Terminal(words, box.folder, env) as terminal:
        if options:  # the warning is the last that is shown
            terminal.wait_for("NOT THE REAL BOX")
        else:
            assert terminal.ended() == 0
    plain = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", terminal.shown)
    heads = [line for line in plain.splitlines() if line.startswith("profile")]
    assert len(heads) == (1 if width == "160" else 2)
    found = [name for head in heads for name in re.split("  +", head.strip())]
    assert set(found) == set(COLUMNS)
    assert re.search(r"until 20\d\d-\d\d-\d\d +\d+ \w+ ago", plain)
    assert "…" not in plain


def test_status_shows_the_profiles_that_are_named(typed):
    """As its sibling commands; a name that is none is refused with the right one."""
    told = typed("status -c box/all.toml ccg jwt")
    assert [row.split()[0] for row in told.out.splitlines()[1:]] == ["jwt", "ccg"]
    told = typed("status --json -c box/all.toml jwt")
    assert [each["name"] for each in told.json["profiles"]] == ["jwt"]
    told = typed("status -c box/all.toml jwtt")
    assert (told.code, told.out) == (2, "")
    assert "did you mean jwt?" in told.err


def test_status_of_a_profile_with_a_mistake_tells_the_mistake(typed, box):
    """A profile that is there is never said to be none; a sound one is shown."""
    altered(box, "mistake.toml", 'grant = "jwt_bearer"', 'grant = "jwt"')
    told = typed("status -c box/mistake.toml jwt")
    assert (told.code, told.out) == (2, "")
    assert "profiles.jwt.grant" in told.err
    assert "there is no profile" not in told.err
    told = typed("status -c box/mistake.toml ccg")
    assert told.code == 2
    assert [row.split()[0] for row in told.out.splitlines()[1:]] == ["ccg"]


def test_where_nobody_is_logged_in_no_renewal_has_failed(typed, box):
    """Before the first login there was none."""
    path = box.folder / "box" / "nobody.toml"
    path.touch(mode=0o600)
    text = (box.folder / "box" / "login.toml").read_text()
    path.write_text(text.replace("profiles.dev", "profiles.nobody"))
    assert typed("renew -c box/nobody.toml").code == 4
    (row,) = typed("status -c box/nobody.toml").out.splitlines()[1:]
    assert re.split("  +", row.strip())[-2:] == ["-", "-"]


def test_status_for_programs_parses_and_has_no_infinity(typed):
    """--json is JSON as RFC 8259 has it, with every profile."""
    told = typed("status --json -c box/all.toml")
    assert "Infinity" not in told.out
    profiles = {each["name"]: each for each in told.json["profiles"]}
    assert profiles["devtoken"]["state"] == "fresh"
    assert profiles["devtoken"]["expires_in"] is None
    assert profiles["jwt"]["subject"] == "enterprise 100001"
    assert "api.box.com:443" in told.json["not_the_real_box"]


@pytest.mark.parametrize("option", ["", "--json"])
def test_status_makes_no_store(option, typed, box):
    """Where there is no store there is none afterwards, and that is told."""
    store = box.folder / "none" / "tokens.db"
    path = box.folder / "box" / "nostore.toml"
    path.touch(mode=0o600)
    table = f'[store]\nurl = "sqlite:{store}"\nkey = {{ file = "nostore.key" }}'
    text = (box.folder / "box" / "all.toml").read_text()
    path.write_text(re.sub(r"\[store\]\n.*\n.*", table, text))
    told = typed(f"status {option} -c box/nostore.toml")
    assert told.code == 0
    assert not store.parent.exists()
    assert not path.with_name("nostore.key").exists()
    if option:
        assert told.json["no_store_yet"] is True
        assert {each["state"] for each in told.json["profiles"]} >= {"none"}
    else:
        assert f"no store yet: {store}" in told.err


def test_status_remembers_the_last_trouble_and_what_to_do(typed, box):
    """A dead grant is told by every later command, with the way out (exit 4)."""
    path = box.folder / "box" / "dead.toml"
    path.touch(mode=0o600)
    text = (box.folder / "box" / "refresh_token.toml").read_text()
    (box.folder / "box" / "dead.txt").touch(mode=0o600)
    (box.folder / "box" / "dead.txt").write_text("not-a-refresh-token")
    path.write_text(text.replace("refresh_token.txt", "dead.txt"))
    told = typed("token -c box/dead.toml")
    assert (told.code, told.out) == (4, "")
    assert "hint: " in told.err
    told = typed("status -c box/dead.toml")
    assert re.search("warning: dev: .+", told.err)
    way_out = f"run: everbearer login -c {path} dev"
    assert way_out in told.err
    (profile,) = typed("status --json -c box/dead.toml").json["profiles"]
    assert profile["trouble"]["kind"] == "reauthorize"
    assert way_out in profile["trouble"]["hint"]


def test_status_tells_of_a_token_that_could_not_be_saved(typed, box):
    """It lies in an emergency copy: where, and what to do, on both surfaces."""
    typed("token -c box/all.toml ccg")
    settings = load(box.folder / "box" / "all.toml", os.environ)
    key = settings.profiles["ccg"].key

    async def rescue(*, forget=False):
        store = open_store(settings.store)
        if forget:
            await store.forget_rescued(key, lambda _: True)
        else:
            record = await store.load(key)
            intent = Intent(0.0, "")
            copy = replace(record, access_token=Secret("new"), intent=intent)
            await store.rescue(key, copy)
        await store.close()

    assert "ccg: " not in typed("status -c box/all.toml").err
    asyncio.run(rescue())
    try:
        told = typed("status -c box/all.toml")
        programs = typed("status --json -c box/all.toml").json["profiles"]
    finally:
        asyncio.run(rescue(forget=True))
    copies = box.folder / "box" / "rescue"
    assert f"ccg: a new token is not in the store but in {copies}" in told.err
    assert "hint: make room on the disk" in told.err
    notices = {each["name"]: each["notices"] for each in programs}
    assert "make room" in notices["ccg"][0]["hint"]
    assert notices["jwt"] == []


def test_a_token_endpoint_that_is_too_busy_is_exit_5(typed, box):
    """The server asks for an hour: try again later, and the hint says so."""
    busy = {"status": 429, "retry_after": 3600}
    match = {"path": "/oauth2/token"}
    box.call("POST", "faults", {"match": match, "effect": busy, "times": 1})
    told = typed("renew -c box/all.toml ccg")
    assert told.code == 5
    assert "hint: " in told.err
    assert typed("renew -c box/all.toml ccg").code == 0


def test_a_store_that_others_can_read_is_exit_3(typed, box):
    """A store with a wide mode is refused with the command that mends it."""
    typed("token -c box/all.toml dev")
    store = box.folder / "box" / "tokens.db"
    store.chmod(0o644)
    try:
        told = typed("status -c box/all.toml")
    finally:
        store.chmod(0o600)
    assert (told.code, told.out) == (3, "")
    assert "chmod" in told.err


@pytest.mark.parametrize(
    "line",
    [
        "status -c box/all.toml",
        "status --json -c box/all.toml",
        "renew -c box/all.toml dev jwt ccg devtoken",
        "check --json -c box/all.toml",
        "explain -c box/all.toml GET https://api.box.com/2.0/users/me",
    ],
)
def test_no_secret_is_printed(line, typed, box):
    """Of the tokens, client secrets, assertions and pass phrases there is no trace."""
    for profile in ("dev", "jwt", "ccg"):
        typed(f"token -c box/all.toml {profile}")
    told = typed(line)
    secrets = box.secrets()
    assert len(secrets) > 5
    for secret in secrets:
        assert secret not in told.out + told.err


def test_a_table_in_a_pipe_is_neither_coloured_nor_wrapped(box):
    """A program reads whole lines, whatever COLUMNS says."""
    box.stage.output("token", "-c", "box/all.toml", "dev")
    out = box.stage.output("status", "-c", "box/all.toml")
    assert "\x1b" not in out
    assert len(out.splitlines()) == 5


def test_ages_are_counted_from_the_wall_clock(typed):
    """A refresh token that was just obtained is some seconds old, not years."""
    typed("renew -c box/all.toml dev")
    profiles = typed("status --json -c box/all.toml").json["profiles"]
    age = time.time() - profiles[0]["refresh_issued_at"]
    assert 0 <= age < 600


def test_renewals_of_two_processes_share_a_store(box):
    """A token that one process obtained is the one that another prints."""
    mine = box.stage.output("token", "-c", "box/all.toml", "ccg")
    assert box.stage.output("token", "-c", "box/all.toml", "ccg") == mine


def test_a_profile_without_a_refresh_token_is_told_to_log_in(typed, box):
    """A check is content: it is a login's; who asks for a token is told, exit 4."""
    good = (box.folder / "box" / "refresh_token.toml").read_text()
    seedless = box.folder / "box" / "seedless.toml"
    lines = good.splitlines(keepends=True)
    seedless.write_text("".join(x for x in lines if not x.startswith("refresh_token")))
    seedless.chmod(0o600)
    checked = typed("check -c box/seedless.toml")
    assert checked.code == 0
    assert "refresh_token" not in checked.err
    asked = typed("token -c box/seedless.toml")
    assert asked.code == 4
    assert "error: nobody has logged in yet" in asked.err
    assert f"hint: run: everbearer login -c {seedless} dev\n" in asked.err


def test_a_profile_without_a_refresh_token_is_served_from_the_store(typed, box):
    """What the store has of it is used, seed or none."""
    seedless = box.folder / "box" / "stored.toml"
    text = (box.folder / "box" / "refresh_token.toml").read_text()
    lines = text.splitlines(keepends=True)
    text = "".join(x for x in lines if not x.startswith("refresh_token"))
    seedless.write_text(text.replace("[profiles.dev]", "[profiles.stored]"))
    seedless.chmod(0o600)
    settings = load(seedless, {}, user_data_dir=box.folder / "data")
    key = settings.profiles["stored"].key
    pair = box.call("POST", "refresh_tokens")

    async def put() -> None:
        store = open_store(settings.store)
        async with store.exclusive(key):
            refresh_token = Secret(pair["refresh_token"])
            await store.save(key, Record(refresh_token=refresh_token))
        await store.close()

    asyncio.run(put())
    assert typed("token -c box/stored.toml").out.strip() in box.secrets()


def test_renew_says_what_it_waits_for(typed, box):
    """A token endpoint that is busy is asked again, and nobody waits in silence."""
    busy = {"status": 503, "retry_after": 1}
    fault = {"match": {"path": "/oauth2/token"}, "effect": busy, "times": 1}
    box.call("POST", "faults", fault)
    told = typed("renew -c box/all.toml ccg")
    assert told.code == 0
    assert re.search(r"warning: ccg: .* tried again in \d+ s", told.err)
    assert "ccg: renewed" in told.err


@pytest.mark.parametrize(
    ("rescued", "meanwhile"),
    [("/rescue/1", "a copy is in /rescue/1"), ("", "it is lost if this ends now")],
)
def test_a_save_that_fails_is_told_to_whoever_waits(capsys, rescued, meanwhile):
    """With where the new token is meanwhile."""
    _tell_trouble(SaveFailed(1.0, "dev", "the disk is full", "make room", rescued))
    told = capsys.readouterr()
    assert told.out == ""
    assert (
        f"warning: dev: the new token cannot be saved, {meanwhile}: the disk is full;"
        " tried again and again"
    ) in " ".join(told.err.split())
