"""What a client says of itself, and what a verified user may ask for."""

import base64
from dataclasses import replace

import pytest
from boxlike import API, REQUEST, REVERSE, RULES, replace_rules, request
from hypothesis import given
from hypothesis import strategies as st

from everbearer.policy.decide import decide
from everbearer.policy.users import Claim, beyond, claim, crowded, gone, is_name, wrong
from everbearer.policy.verdict import Inject, Pass, Refuse
from everbearer.policy.view import OWNER, ListenerView, UserView

GUARDED = replace(RULES, guarded=True)


def basic(text: str | bytes, scheme: str = "Basic") -> str:
    """Return credentials as a field has them."""
    raw = text.encode() if isinstance(text, str) else text
    return f"{scheme} {base64.b64encode(raw).decode()}"


@pytest.mark.parametrize(
    ("value", "name", "password"),
    [
        (basic("alice:secret"), "alice", "secret"),
        (basic("alice:se:cret:"), "alice", "se:cret:"),
        (basic("a@b.c:pä ss"), "a@b.c", "pä ss"),
        (basic("alice:secret", "bAsIc "), "alice", "secret"),
    ],
)
def test_credentials_are_a_name_and_a_password(value, name, password):
    """RFC 7617 §2: the first colon ends the name; the scheme is of any case."""
    found = claim((value,), reverse=False)
    assert isinstance(found, Claim)
    assert (found.name, found.password.reveal()) == (name, password)
    assert password not in repr(found)


@pytest.mark.parametrize(
    "values",
    [
        (basic("alice:a"), basic("alice:a")),
        (basic("alice"),),
        (basic("alice:"),),
        (basic(":secret"),),
        (basic("al ice:secret"),),
        (basic("alice:sec\0ret"),),
        (basic("alice:sec\x7fret"),),
        (basic("alice\n:secret"),),
        (basic(b"alice:\xff"),),
        (basic("älice:secret"),),
        (basic("alice:" + "x" * 3000),),
        (basic("a" * 65 + ":secret"),),
        ("Basic YWxpY2U6c2VjcmV0=",),
        ("Basic YWxpY2U6YR==",),
        ("Basic Y",),
        ("Basic " + "Y" * 5,),
        ("Basic",),
        ("",),
        (basic("alice:secret", "Bearer"),),
        (basic("alice:secret", "XBasic"),),
        (basic("alice:secret") + ", x",),
        (basic("alice:secret") + "\n",),
    ],
)
@pytest.mark.parametrize(("reverse", "status"), [(False, 407), (True, 401)])
def test_anything_else_is_malformed(values, reverse, status):
    """Two fields, broken base64, controls, other schemes: refused, not guessed at."""
    found = claim(values, reverse=reverse)
    assert isinstance(found, Refuse)
    assert (found.status, found.code) == (status, "user_malformed")


@given(st.lists(st.text(), max_size=3).map(tuple), st.booleans())
def test_any_field_has_an_answer(values, reverse):
    """Reading never raises, and says nothing of what it read."""
    found = claim(values, reverse=reverse)
    assert isinstance(found, Claim | Refuse)


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", fullmatch=True),
    st.text(min_size=1),
)
def test_what_is_sent_is_what_is_read(name, password):
    """Every name and every password of printable characters comes out again."""
    found = claim((basic(f"{name}:{password}"),), reverse=False)
    fits = len(password.encode()) < 1000 and not any(
        char < " " or char == "\x7f" for char in password
    )
    if isinstance(found, Claim):
        assert (found.name, found.password.reveal()) == (name, password)
    else:
        assert not fits


def test_what_is_missing_and_what_is_wrong():
    """Each has its code, its status and a hint; a wrong name is a wrong password."""
    for reverse, status in ((False, 407), (True, 401)):
        missing = claim((), reverse=reverse)
        assert isinstance(missing, Refuse)
        assert (missing.status, missing.code) == (status, "user_required")
        assert wrong(reverse=reverse).status == status
        assert wrong(reverse=reverse).code == "user_wrong"
        assert wrong(reverse=reverse).hint
    assert crowded().status == 503
    assert beyond().status == 403
    assert gone().status == 403  # a 407 in a tunnel would be the server's


@pytest.mark.parametrize(
    ("name", "legal"),
    [
        ("alice", True),
        ("a.b-c_d@e+f", True),
        ("9", True),
        ("", False),
        ("-a", False),
        ("a:b", False),
        ("a b", False),
        ("ä", False),
        ("a\n", False),
        ("a" * 65, False),
    ],
)
def test_names_of_users(name, legal):
    """They stand in lines, tables and fields without quotes."""
    assert is_name(name) is legal


@pytest.mark.parametrize(
    ("view", "status", "code"),
    [
        (REQUEST, 407, "user_required"),
        (request(connect_name=None), 407, "user_required"),
        (request(connect_name=None, host="elsewhere.test"), 407, "user_required"),
        (REVERSE, 401, "user_required"),
    ],
)
def test_nobody_else_gets_a_decision(view, status, code):
    """Where there are users, whoever is none is refused, whatever he asks for."""
    verdict = decide(view, GUARDED)
    assert isinstance(verdict, Refuse)
    assert (verdict.status, verdict.code) == (status, code)


@pytest.mark.parametrize("user", [OWNER, UserView("alice"), UserView("a", ("dev",))])
def test_a_user_gets_what_anybody_would(user):
    """And so does who works the proxy's interface."""
    assert decide(request(user=user), GUARDED) == decide(REQUEST, RULES)


@pytest.mark.parametrize(
    ("own", "asked", "bound", "got"),
    [
        ((), (), "", "dev"),
        ((), ("prod",), "", "prod"),
        (("prod",), (), "", "prod"),
        (("prod",), ("prod",), "", "prod"),
        (("prod", "dev"), (), "", "dev"),
        (("prod", "dev"), ("prod",), "", "prod"),
        (("prod", "other"), (), "", "prod"),
        (("prod",), (), "prod", "prod"),
        (("prod",), ("none",), "", "profile_none"),
        (("prod",), ("dev",), "", "profile_not_of_user"),
        (("other",), (), "", "profile_not_of_user"),
        (("other",), ("other",), "", "profile_not_allowed"),
        (("dev",), (), "prod", "profile_not_of_user"),
        (("dev",), ("dev",), "prod", "profile_contradiction"),
        (("dev",), ("nobody",), "", "profile_unknown"),
    ],
)
def test_which_profile_serves_a_user(own, asked, bound, got):
    """The listener's, else his, else the one asked for: never one that is not his."""
    listener = ListenerView("127.0.0.1:8080", profile=bound)
    view = request(
        user=UserView("alice", own),
        profile_fields=asked,
        listener=listener,
        as_user=("1234",),
    )
    verdict = decide(view, GUARDED)
    if isinstance(verdict, Inject):
        assert verdict.profile == got
    else:
        assert isinstance(verdict, Pass | Refuse)
        assert verdict.code == got
    if got == "profile_not_of_user":
        assert "alice" in verdict.reason


def test_several_of_his_own_and_no_default_are_ambiguous():
    """Nobody guesses, and the hint has what he may ask for, not what others may."""
    rules = replace_rules(
        replace(API, profiles=("dev", "prod", "other")),
        default_profile="",
        guarded=True,
    )
    verdict = decide(request(user=UserView("alice", ("dev", "prod"))), rules)
    assert isinstance(verdict, Refuse)
    assert verdict.code == "profile_ambiguous"
    assert "other" not in verdict.hint
