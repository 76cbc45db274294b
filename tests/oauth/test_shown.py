"""Token requests and answers are shown without anything that could be used."""

import json

from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.shown import shown_answer, shown_fields, shown_form
from everbearer.oauth.token_response import TokenAnswer
from everbearer.secret import Secret, fingerprint, redaction_mark

TOKEN = "T9cE5asGnuyYCCqIZFoWjFHvNbvVqHjl"


def answer(body, fields=()):
    """Return an answer with that body."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return TokenAnswer(200, dict(fields), content)


def test_a_form_keeps_its_names_and_loses_its_secrets():
    """What is a Secret becomes a mark; what is none stays."""
    form = (("grant_type", "refresh_token"), ("client_secret", Secret(TOKEN)))

    assert shown_form(form) == (
        ("grant_type", "refresh_token"),
        ("client_secret", redaction_mark(fingerprint(TOKEN))),
    )


def test_an_assertion_loses_its_signature_only():
    """Header and claims of a JWT are worth a look, and prove nothing without it."""
    shown = dict(shown_form((("assertion", Secret(f"eyJh.eyJp.{TOKEN}")),)))

    assert shown["assertion"] == f"eyJh.eyJp.{redaction_mark(fingerprint(TOKEN))}"
    # What has no such shape is a secret like any other.
    assert TOKEN not in str(shown_form((("assertion", Secret(TOKEN)),)))


def test_an_answer_keeps_what_tells_something():
    """Tokens and unknown texts become marks; times, types and errors stay."""
    told = json.loads(
        shown_answer(
            answer(
                {
                    "access_token": TOKEN,
                    "refresh_token": "short",
                    "expires_in": 3600,
                    "token_type": "bearer",
                    "restricted_to": [],
                    "odd": "x",
                    "null": None,
                    "error_description": f"no {TOKEN}",
                }
            )
        )
    )

    assert told == {
        "access_token": redaction_mark(fingerprint(TOKEN)),
        "refresh_token": redaction_mark(fingerprint("short")),
        "expires_in": 3600,
        "token_type": "bearer",
        "restricted_to": "[]",
        "odd": redaction_mark(fingerprint("x")),
        "null": None,
        "error_description": "no [masked]",
    }


def test_what_is_no_json_object_is_not_shown():
    """Of a page, or a list, nothing is kept."""
    assert shown_answer(answer(b"<html>")) == ""
    assert shown_answer(answer([TOKEN])) == ""
    assert shown_answer(answer(b"[" * 100_000)) == ""


def test_few_fields_are_shown():
    """Cookies and whatever else came are left out."""
    fields = {"date": "Sat, 21 Nov 2026 20:00:00 GMT", "set-cookie": TOKEN}

    assert shown_fields(answer({}, fields)) == (("date", fields["date"]),)


@given(st.recursive(st.none() | st.integers(), st.lists))
def test_no_deep_or_odd_member_fails(value):
    """Any JSON is shown, in one way or another."""
    assert json.loads(shown_answer(answer({"a": value})))
