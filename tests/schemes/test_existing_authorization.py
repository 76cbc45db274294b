"""What a client put into Authorization itself, of every kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.policy.view import Authorization, Existing
from everbearer.schemes.existing import classify
from everbearer.secret import fingerprint, marked, redaction_mark

OURS = "T9nwBb1Hsc4yBpYvTJC0iLqcEaIyBNsf"
REJECTED = "rejected-before"
GOT = "got-by-a-redeem"


def look(*values: str, placeholder: str = "") -> Authorization:
    """Classify with one token issued and another one rejected for `dev`."""
    return classify(
        values,
        placeholder=placeholder,
        issued=lambda mark: frozenset({"jwt"} if mark == fingerprint(OURS) else ()),
        redeemed=lambda mark: frozenset({"dev"} if mark == fingerprint(GOT) else ()),
        rejected_for=lambda mark: frozenset(
            {"dev"} if mark == fingerprint(REJECTED) else ()
        ),
    )


def test_a_mark_is_a_mark_only_by_itself():
    """What merely holds a redaction mark is something else."""
    mark = redaction_mark(fingerprint(OURS))
    assert marked(mark)
    assert not marked(f"Bearer {mark}")
    assert not marked(f"{mark} ")
    assert not marked(OURS)


def test_no_field_is_none():
    """Without the field there is nothing."""
    assert look() == Authorization(Existing.NONE)


@pytest.mark.parametrize("value", ["", " ", "\t", "Bearer", "bearer  ", " BEARER "])
def test_a_field_without_a_token_is_empty(value):
    """A scheme without a token is as good as nothing."""
    assert look(value) == Authorization(Existing.EMPTY)


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer   "])
@pytest.mark.parametrize(
    "text",
    [
        "{{access_token}}",
        "{{ vault:box, token }}",
        "{{}}",
        "{access_token}",
        "$TOKEN",
        "${TOKEN}",
        "${env:BOX, or else}",
        "<token>",
        "<ACCESS_TOKEN>",
        "<your token, please>",
        "%TOKEN%",
        "undefined",
        "null",
        "None",
        "nil",
        "[object Object]",
    ],
)
def test_an_unresolved_variable_is_a_placeholder(prefix, text):
    """What a tool sends for an unset variable is a placeholder."""
    assert look(prefix + text) == Authorization(Existing.PLACEHOLDER)


@pytest.mark.parametrize(
    "value", ["Bearer PUT-IT-HERE", "PUT-IT-HERE", "bearer PUT-IT-HERE"]
)
def test_the_configured_placeholder_counts(value):
    """The configured text counts with and without the scheme, others do not."""
    assert look(value, placeholder="PUT-IT-HERE").kind is Existing.PLACEHOLDER
    assert look(value, placeholder="OTHER").kind is Existing.FOREIGN


def test_a_configured_placeholder_may_be_the_whole_field():
    """With the scheme written out, the whole field is compared."""
    value = "Bearer PUT-IT-HERE"
    assert look(value, placeholder=value).kind is Existing.PLACEHOLDER


@pytest.mark.parametrize("prefix", ["", "Bearer "])
def test_our_own_mark_is_recognised(prefix):
    """A flow that was saved and replayed shows whose token stood there."""
    value = prefix + redaction_mark("3f2a00c0ffee")
    assert look(value) == Authorization(Existing.REDACTED, "3f2a00c0ffee")


@pytest.mark.parametrize("value", [OURS, f"Bearer {OURS}", f"BEARER  {OURS} "])
def test_a_token_that_we_issued_is_ours(value):
    """However it is wrapped, our own token is known, and whom it is for."""
    assert look(value) == Authorization(
        Existing.OURS, fingerprint(OURS), issued_for=frozenset({"jwt"})
    )


def test_a_token_that_a_client_got_by_our_refresh_token():
    """It is the client's own, of a profile's grant."""
    assert look(f"Bearer {GOT}") == Authorization(
        Existing.FOREIGN, fingerprint(GOT), issued_for=frozenset({"dev"})
    )


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("Bearer their-own", "their-own"),
        ("Bearer Bearer x", "Bearer x"),
        ("Bearerx", "Bearerx"),
        ("Bearer {{a}}{{b}}", "{{a}}{{b}}"),
        ("Bearer $1", "$1"),
        ("Bearer [everbearer:xyz]", "[everbearer:xyz]"),
        ("Bearer nullified", "nullified"),
        ("Basic dXNlcjpwYXNz", "Basic dXNlcjpwYXNz"),
        ('Digest username="a, Basic b", uri="/"', None),
        ('OAuth oauth_consumer_key="a", oauth_token="b"', None),
        ("AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=d;e, Signature=f", None),
    ],
)
def test_anything_else_is_the_clients_own(value, token):
    """Another credential is foreign and known by the fingerprint of its token."""
    assert look(value) == Authorization(Existing.FOREIGN, fingerprint(token or value))


def test_a_token_that_was_answered_401_is_remembered():
    """The profiles for which this very token was rejected come along."""
    expected = Authorization(
        Existing.FOREIGN, fingerprint(REJECTED), frozenset({"dev"})
    )
    assert look(f"Bearer {REJECTED}") == expected


@pytest.mark.parametrize(
    "values",
    [
        ("Bearer a", "Bearer b"),
        ("Bearer a", "Bearer a"),
        ("", "Bearer a"),
        ("", ""),
        ("Bearer a, Bearer b",),
        ("Bearer a,Basic b",),
        ("Bearer {{a}}, Bearer b",),
        (f"Bearer {OURS}, Basic b",),
        (f"Bearer {redaction_mark('3f2a')}, Bearer b",),
    ],
)
def test_two_credentials_are_several(values):
    """Two fields, or a pair joined by a comma, are never taken for one."""
    assert look(*values) == Authorization(Existing.SEVERAL)


@given(st.from_regex(r"[A-Za-z0-9._~+/-]+={0,2}", fullmatch=True), st.text("0af"))
def test_no_token_looks_like_a_mark_or_a_variable(token, digits):
    """No bearer token of RFC 6750 is redacted, and only words can be placeholders."""
    kind = look(f"Bearer {token}").kind
    words = {"undefined", "null", "None", "nil"}
    assert kind is (Existing.PLACEHOLDER if token in words else Existing.FOREIGN)
    assert token != redaction_mark(digits)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3))
def test_no_field_raises(values):
    """Whatever a client sends is of some kind; secrets are fingerprints at most."""
    assert isinstance(look(*values).kind, Existing)
