"""Events as lines for people."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

import pytest

from everbearer.cli.event_lines import is_routine, line_of, teller
from everbearer.events import (
    AuditLinesLost,
    ClientRedeemed,
    ConfigurationChanged,
    Exchanged,
    GrantEnding,
    RenewalFailed,
    Renewed,
    Replayed,
    SaveFailed,
)

AT = 1_700_000_000.0
ASKED = Exchanged(
    at=AT,
    method="GET",
    host="api.box.com",
    path="/2.0/users/me",
    status=200,
    profile="dev",
    verdict="inject",
    code="missing",
    duration=0.0415,
)
FAILED = RenewalFailed(
    at=AT,
    profile="dev",
    cause="timer",
    code="token_endpoint_unavailable",
    message="no answer",
    hint="try again later",
    retry_at=AT + 8,
)


def told(event) -> str:
    """Return the line without its time, which depends on the time zone."""
    text = line_of(event).text
    assert re.match(r"\d\d:\d\d:\d\d ", text)
    return text[9:]


def test_a_question_of_our_own_is_no_trouble():
    """It asks to be refused: told of where requests are, and nowhere as a warning."""
    probed = replace(
        ASKED, status=421, profile="", verdict="refuse", note="misdirected", probe=True
    )
    line = line_of(probed)
    assert (line.level, line.colour) == (logging.INFO, None)
    assert line.text.endswith("(a question of everbearer's own)")
    assert line_of(replace(probed, probe=False)).level == logging.WARNING


def test_a_request_is_one_short_line():
    """Method, host and path, status, profile, reason and milliseconds, in order."""
    assert told(ASKED) == "GET api.box.com/2.0/users/me 200 dev missing 42 ms"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"replayed": True},
            "GET api.box.com/2.0/users/me 200 dev missing 42 ms replayed",
        ),
        ({"note": "why"}, "GET api.box.com/2.0/users/me 200 dev missing 42 ms (why)"),
        ({"status": 0}, "GET api.box.com/2.0/users/me closed dev missing 42 ms"),
        ({"profile": ""}, "GET api.box.com/2.0/users/me 200 - missing 42 ms"),
    ],
)
def test_what_else_happened_is_in_the_line(change, line):
    """Replays, notes, closed connections and requests of nobody are told apart."""
    assert told(replace(ASKED, **change)) == line


def test_a_query_is_not_told():
    """No query is in a line, replays included."""
    path = "/2.0/users/me?access_token=canary"
    replayed = Replayed(AT, "dev", "GET", "api.box.com", path, 200, 0.1)
    assert "canary" not in told(replace(ASKED, path=path))
    assert "canary" not in told(replayed)


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (ASKED, logging.INFO),
        (replace(ASKED, status=500), logging.INFO),
        (replace(ASKED, verdict="refuse", status=403), logging.WARNING),
        (Renewed(AT, "dev", "first", "f00", AT + 3600, 0.1), logging.INFO),
        (FAILED, logging.WARNING),
        (replace(FAILED, code="reauthorization_required"), logging.ERROR),
        (replace(FAILED, code="token_request_rejected"), logging.ERROR),
        (SaveFailed(AT, "dev", "disk full", "make room", ""), logging.ERROR),
        (ClientRedeemed(AT, "dev", "saved", "it is saved"), logging.INFO),
        (ClientRedeemed(AT, "dev", "lost", "it is lost"), logging.WARNING),
        (ClientRedeemed(AT, "dev", "old", "it is old"), logging.WARNING),
        (AuditLinesLost(AT, 3), logging.DEBUG),
        (ConfigurationChanged(AT, "c.toml"), logging.INFO),
        (ConfigurationChanged(AT, "c.toml", needs_restart=("store",)), logging.WARNING),
        (ConfigurationChanged(AT, "c.toml", problems=("x: bad",)), logging.ERROR),
    ],
)
def test_quiet_hides_what_went_well_and_nothing_else(event, level):
    """Refusals are warnings, what a person must mend is an error."""
    assert line_of(event).level == level
    assert not is_routine(event) or level < logging.WARNING
    assert is_routine(event) == (isinstance(event, Exchanged) and level == logging.INFO)


def test_a_failed_renewal_says_when_it_is_tried_again_and_what_to_do():
    """The line has the class, the message and the wait; the hint is its own."""
    line = line_of(FAILED)
    assert line.text[9:] == (
        "dev: not renewed (timer), token_endpoint_unavailable: no answer;"
        " tried again in 8 s"
    )
    assert line.hint == "try again later"


def test_a_bad_reload_tells_every_problem():
    """All problems of the new configuration are told, and that the old one stays."""
    line = told(ConfigurationChanged(AT, "c.toml", problems=("a: bad", "b: worse")))
    assert "a: bad" in line
    assert "b: worse" in line
    assert "the old configuration stays" in line


def test_a_renewal_of_another_process_is_told_as_such():
    """Nobody takes another process's renewal for a token request of ours."""
    shared = Renewed(AT, "dev", "rejected", "f00", AT + 3600, 0.1, shared=True)
    assert "another process renewed" in told(shared)


def test_an_end_that_comes_near_names_the_day_and_the_command():
    """A grant that dies soon is a warning, one that has died an error."""
    soon = GrantEnding(AT, "dev", AT + 86400, "run: everbearer renew dev")
    line = line_of(soon)
    assert re.search(r"dev: the refresh token ends on 2023-11-1[56] unless", line.text)
    assert (line.level, line.hint) == (logging.WARNING, soon.hint)
    over = line_of(replace(soon, ends_at=AT - 86400))
    assert re.search(r"the refresh token ended on 2023-11-1[34]$", over.text)
    assert over.level == logging.ERROR


def test_a_teller_leaves_out_what_is_less_important(capsys):
    """Of a request and a renewal in vain, warnings alone are the second."""
    tell = teller(logging.WARNING)
    tell(ASKED)
    tell(FAILED)
    line, hint = capsys.readouterr().err.splitlines()
    assert "not renewed (timer)" in line
    assert hint == "everbearer: hint: try again later"
    teller(logging.INFO)(ASKED)
    assert "GET api.box.com" in capsys.readouterr().err
