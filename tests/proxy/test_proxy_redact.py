"""After redaction no token is left in a flow, and nothing else has changed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.policy.view import Existing
from everbearer.proxy.redact import MASKED, redact, redacted
from everbearer.schemes import SCHEMES
from everbearer.schemes.existing import classify
from everbearer.secret import fingerprint
from proxy.flows import asked

BEARER = SCHEMES["bearer"]
CANARY = "canary7f3a0123456789"
MARK = f"[everbearer:{fingerprint(CANARY)}]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"Bearer {CANARY}", f"Bearer {MARK}"),
        (f"bearer {CANARY}", f"bearer {MARK}"),
        (f"Bearer  {CANARY} ", f"Bearer {MARK}"),
        (CANARY, MARK),
        ("", f"[everbearer:{fingerprint('')}]"),
    ],
)
def test_a_value_becomes_a_mark_with_its_fingerprint(value: str, expected: str):
    """Only the word Bearer stays."""
    assert redacted(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        f"Basic {CANARY}",
        f"{CANARY} x",
        f"{CANARY} ",
        f"canary seven {CANARY}",
        f"[everbearer:{CANARY}",
        f"[everbearer:{CANARY}]",
        f"Bearer [everbearer:{CANARY}] {CANARY}",
    ],
)
def test_whatever_else_is_there_is_part_of_the_secret(value: str):
    """Other schemes, several words, what merely looks like a mark: nothing stays."""
    assert re.fullmatch(r"(Bearer )?\[everbearer:[0-9a-f]{12}\]", redacted(value))


def test_a_mark_stays_what_it_is():
    """A flow is redacted when it ends and when the proxy stops: once is enough."""
    once = redacted(f"Bearer {CANARY}")
    assert redacted(once) == once
    flow = asked(authorization=f"Bearer {CANARY}", path=f"/x?access_token={CANARY}")
    redact(flow, BEARER)
    state = flow.get_state()
    redact(flow, BEARER)
    assert flow.get_state() == state


def test_a_mark_that_is_sent_again_is_known():
    """Whoever replays a saved flow is understood to have no token."""
    seen = classify(
        (redacted(f"Basic {CANARY}"),),
        placeholder="",
        issued=lambda _: frozenset(),
        redeemed=lambda _: frozenset(),
        rejected_for=lambda _: frozenset(),
    )
    assert seen.kind is Existing.REDACTED


def test_every_field_of_that_name_is_redacted():
    """Two fields, in whatever case: both; other fields stay, in their order."""
    flow = asked(accept="*/*", AUTHORIZATION=f"Bearer {CANARY}", x_last="1")
    flow.request.headers.add("Authorization", f"Bearer {CANARY}2")
    before = [name for name, _ in flow.request.headers.fields]

    redact(flow, BEARER)

    assert CANARY not in str(flow.get_state())
    assert len(flow.request.headers.get_all("authorization")) == 2
    assert sorted(name.lower() for name in before) == sorted(
        name.lower() for name, _ in flow.request.headers.fields
    )
    assert flow.request.headers["accept"] == "*/*"


def test_states_from_before_edits_are_redacted():
    """A backup, and a backup of that, hold no token; all else in them stays."""
    flow = asked(
        path=f"/2.0/x?a=1&access_token={CANARY}", AUTHORIZATION=f"Bearer {CANARY}"
    )
    flow.backup()
    flow._backup["backup"] = flow.get_state()
    assert str(flow._backup).count(CANARY) >= 4

    redact(flow, BEARER)

    assert CANARY not in str(flow.get_state()) + str(flow._backup)
    assert flow._backup["request"]["path"] == f"/2.0/x?a=1&access_token={MARK}".encode()
    assert (b"host", b"api.box.com") in flow._backup["request"]["headers"]


@pytest.mark.parametrize(
    "path",
    [
        "/2.0/x",
        "/2.0/x?",
        "/2.0/x?a=b&&c",
        "/2.0/x?my_access_token=1&access_token_=2&tokens=3&codes=4",
        "/2.0/access_token=4?x=%20",
    ],
)
def test_other_paths_stay_byte_by_byte(path: str):
    """What is no token of the query is not touched, nor tidied up."""
    flow = asked(path=path)
    redact(flow, BEARER)
    assert flow.request.path == path


NAMES = ["access_token", "access%5Ftoken", "%61ccess_token", "access_toke%6e"]
ODD = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=9)


@given(st.sampled_from(NAMES), ODD, ODD, st.booleans())
def test_no_spelling_keeps_a_token(name: str, before: str, after: str, backed_up: bool):
    """Whatever stands around the token in its field or in the query, it is gone."""
    secret = "".join(c for c in before if c not in "?&# ") + CANARY
    path = f"/2.0/x?a=b&{name}={secret}&c={after.replace('#', '')}"
    flow = asked(path=path, authorization=f"{before} {CANARY} {after}")
    if backed_up:
        flow.backup()

    redact(flow, BEARER)

    assert CANARY not in str(flow.get_state())


LOW = "hunter2"


@pytest.mark.parametrize("name", ["boxapi", "BoxApi", "BOXAPI"])
def test_a_secret_that_may_be_guessed_leaves_no_fingerprint(name: str):
    """A password could be tried against one: the mask says nothing of it."""
    flow = asked(**{name: f"shared_link=x&shared_link_password={LOW}"})
    flow.backup()
    redact(flow, BEARER)
    assert flow.request.headers[name] == MASKED
    assert LOW not in str(flow.get_state())


@pytest.mark.parametrize("name", ["code", "client%5Fsecret", "Shared_Link_Password"])
def test_secret_parameters_are_masked_and_the_rest_of_a_query_stays(name: str):
    """However spelt; once is enough here too."""
    flow = asked(path=f"/2.0/x?a=%20&{name}={LOW}&b")
    for _ in range(2):
        redact(flow, BEARER)
        assert flow.request.path == f"/2.0/x?a=%20&{name}={MASKED}&b"
