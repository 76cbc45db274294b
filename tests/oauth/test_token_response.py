"""Every answer of a token endpoint is a token response or one class of error."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.errors import (
    GrantError,
    ReauthorizationRequired,
    TokenEndpointUnavailable,
    TokenRequestRejected,
    TokenResponseMalformed,
)
from everbearer.oauth.grants.contract import Rejection
from everbearer.oauth.token_response import (
    MAX_EXPIRES_IN,
    MAX_RETRY_AFTER,
    TokenAnswer,
    TokenResponse,
    parse_token_response,
    rejection,
)
from everbearer.secret import Secret

NOW = datetime(2026, 7, 20, 12, 0, 0, tzinfo=UTC).timestamp()
TOKEN = "T9nwBb1Hsc4yBpYvTJC0iLqcEaIyBNsf"
NAN = float("nan")
NEXT = "refresh0" * 8


def answer(
    body: object = b"",
    status: int = 200,
    /,
    **fields: str,
) -> TokenAnswer:
    """Make an answer; a body that is not bytes is written as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in fields.items()}
    return TokenAnswer(status, names, raw)


def parse(of: TokenAnswer, *, needs_refresh_token: bool = False) -> TokenResponse:
    """Parse with an hour as the provider's life and a fixed clock."""
    return parse_token_response(
        of,
        default_expires_in=3600.0,
        needs_refresh_token=needs_refresh_token,
        now=NOW,
    )


def failure(of: TokenAnswer, **options: bool) -> GrantError:
    """Return the error that the answer raises."""
    with pytest.raises(GrantError) as caught:
        parse(of, **options)
    return caught.value


class TestTokens:
    """Answers that carry a token."""

    def test_an_answer_of_box_is_read(self):
        """Token, life and refresh token come out, the rest is ignored."""
        of = answer(
            {
                "access_token": TOKEN,
                "expires_in": 4123,
                "restricted_to": [],
                "refresh_token": NEXT,
                "token_type": "bearer",
            }
        )
        expected = TokenResponse(Secret(TOKEN), 4123.0, Secret(NEXT))
        assert parse(of, needs_refresh_token=True) == expected

    def test_a_refresh_token_that_nobody_needs_is_not_kept(self):
        """Without rotation the answer's refresh token is dropped, even a bad one."""
        of = answer({"access_token": TOKEN, "expires_in": 1, "refresh_token": 7})
        assert parse(of).refresh_token is None

    @pytest.mark.parametrize(
        ("expires_in", "expected"),
        [
            (1, 1.0),
            (4175, 4175.0),
            ("3600", 3600.0),
            (0.5, 0.5),
            (None, 3600.0),
            (10**30, MAX_EXPIRES_IN),
            (1e300, MAX_EXPIRES_IN),
            ("9" * 400, MAX_EXPIRES_IN),
        ],
    )
    def test_a_life_is_a_positive_number_of_seconds(self, expires_in, expected):
        """Numbers and digits count, null is the provider's life, more is clamped."""
        of = answer({"access_token": TOKEN, "expires_in": expires_in})
        assert parse(of).expires_in == expected

    def test_a_missing_life_is_the_providers(self):
        """Without expires_in the token lives as long as the provider documents."""
        assert parse(answer({"access_token": TOKEN})).expires_in == 3600.0

    @pytest.mark.parametrize("token_type", ["bearer", "Bearer", "BEARER", None])
    def test_the_token_type_is_bearer_in_any_case(self, token_type):
        """The type's case does not matter, and Box may leave it out."""
        of = answer({"access_token": TOKEN, "token_type": token_type})
        assert parse(of).access_token == Secret(TOKEN)

    def test_a_byte_order_mark_is_ignored(self):
        """RFC 8259 §8.1 lets a reader ignore one."""
        body = b"\xef\xbb\xbf" + json.dumps({"access_token": TOKEN}).encode()
        assert parse(answer(body)).access_token == Secret(TOKEN)


class TestMalformed:
    """Answers that make no sense."""

    @pytest.mark.parametrize(
        "expires_in",
        [0, -1, -(10**400), 0.0, "0", "-5", "", "1e3", "٣", True, False, [3600], NAN],
    )
    def test_no_life_worth_the_name(self, expires_in):
        """Zero, negative, boolean and other values of expires_in are malformed."""
        error = failure(answer({"access_token": TOKEN, "expires_in": expires_in}))
        assert type(error) is TokenResponseMalformed

    def test_an_infinite_number_is_no_life(self):
        """A number beyond what a float holds becomes infinite and is malformed."""
        body = b'{"access_token": "abc", "expires_in": 1e999}'
        assert type(failure(answer(body))) is TokenResponseMalformed

    @pytest.mark.parametrize(
        "token",
        [None, "", " ", "a b", "a\r\nx-evil: 1", "a\x00b", "tök", "\ud800", 5, ["a"]],
    )
    def test_a_token_that_would_break_a_field(self, token):
        """A token that is not visible ASCII never becomes part of a field."""
        error = failure(answer({"access_token": token, "expires_in": 60}))
        assert type(error) is TokenResponseMalformed
        assert "access_token" in str(error)

    @pytest.mark.parametrize("token", [None, "", "a\nb", 5])
    def test_a_rotating_grant_without_the_next_refresh_token(self, token):
        """Where the refresh token rotates, an answer without one is malformed."""
        of = answer({"access_token": TOKEN, "expires_in": 60, "refresh_token": token})
        error = failure(of, needs_refresh_token=True)
        assert type(error) is TokenResponseMalformed
        assert "refresh_token" in str(error)

    @pytest.mark.parametrize("token_type", ["mac", "DPoP", "", 5, ["bearer"]])
    def test_a_token_of_another_type(self, token_type):
        """A type that is not bearer is malformed: nobody could use the token."""
        error = failure(answer({"access_token": TOKEN, "token_type": token_type}))
        assert type(error) is TokenResponseMalformed

    @pytest.mark.parametrize(
        ("of", "words"),
        [
            (answer(b"<html>", content_type="text/HTML; x"), "a web page"),
            (answer(b'{"access_token": "T9nwBb1H'), "something else"),
            (answer(b""), "an empty body"),
            (answer([TOKEN]), "something else"),
            (answer(TOKEN), "something else"),
            (answer(b"\xff\xfe{\x00}\x00"), "something else"),
            (answer(b"[" * 200_000), "something else"),
            (answer(b'{"expires_in":' + b"9" * 5000 + b"}"), "something else"),
            (answer({"access_token": TOKEN}, 201), "201"),
            (answer(b"", 204), "204"),
            (answer(b"<html>", 404, content_type="text/html"), "404 with a web page"),
            (answer({"message": "no"}, 401), "401"),
            (answer({"error": 5}, 400), "400"),
            (answer({"error": "a\nb"}, 400), "400"),
            (answer({"error": ""}, 400), "400"),
        ],
    )
    def test_what_is_no_token_response(self, of, words):
        """Web pages, broken JSON and odd statuses are named as what they are."""
        error = failure(of)
        assert type(error) is TokenResponseMalformed
        assert words in str(error)
        assert error.__context__ is None

    def test_a_redirect_is_not_followed_and_shows_its_origin_only(self):
        """The message of a 3xx has the origin of Location and nothing more of it."""
        of = answer(b"", 302, location="https://u:s3cret@sso.example.com/x?code=s3cret")
        error = failure(of)
        assert type(error) is TokenResponseMalformed
        assert "https://sso.example.com;" in str(error)
        assert "s3cret" not in str(error)
        assert "not followed" in str(failure(answer(b"", 307)))


class TestRejected:
    """Errors of RFC 6749 §5.2."""

    def test_invalid_grant_asks_for_a_person(self):
        """Only invalid_grant is ReauthorizationRequired, and it says why."""
        body = {"error": "invalid_grant", "error_description": "Refresh token expired"}
        error = failure(answer(body, 400))
        assert type(error) is ReauthorizationRequired
        assert str(error).endswith("400 invalid_grant: Refresh token expired")

    @pytest.mark.parametrize(
        "code",
        [
            "invalid_client",
            "unauthorized_client",
            "invalid_request",
            "unsupported_grant_type",
            "invalid_scope",
            "access_denied",
            "some_other_error",
        ],
    )
    @pytest.mark.parametrize("status", [400, 401, 403])
    def test_other_errors_ask_for_the_configuration(self, code, status):
        """Every other code is TokenRequestRejected, with the code and a hint."""
        error = failure(answer({"error": code}, status))
        assert type(error) is TokenRequestRejected
        assert str(error).endswith(f"{status} {code}")
        assert error.hint

    def test_a_description_is_masked(self):
        """What a server echoes is masked in the message, and so is an odd code."""
        body = {"error": "x" * 25, "error_description": f"bad {TOKEN} \x1b[2J"}
        assert str(failure(answer(body, 400))).endswith(
            "400 [masked]: bad [masked] ?[2J"
        )

    def test_a_rejection_is_told_before_anything_is_raised(self):
        """The rejection has the description as it was sent, for grants to judge."""
        body = {"error": "invalid_grant", "error_description": "Check the 'exp' claim"}
        assert rejection(answer(body, 400)) == Rejection(
            400, "invalid_grant", "Check the 'exp' claim"
        )
        assert TOKEN not in repr(Rejection(400, "invalid_grant", TOKEN))
        bare = {"error": "invalid_client", "error_description": ["x"]}
        assert rejection(answer(bare, 401)) == Rejection(401, "invalid_client", "")

    @pytest.mark.parametrize("status", [200, 302, 408, 409, 429, 500, 503])
    def test_no_rejection_where_the_server_says_not_now(self, status):
        """A token, a redirect, a conflict and a busy server reject nothing."""
        assert rejection(answer({"error": "invalid_grant"}, status)) is None

    @pytest.mark.parametrize(
        "body", [{"error": "temporarily_unavailable"}, {"error": 'a"b'}, [], b"<html>"]
    )
    def test_no_rejection_without_an_error_code(self, body):
        """Only a JSON error with a sane code is a rejection."""
        assert rejection(answer(body, 400)) is None


class TestUnavailable:
    """Answers that only say "not now"."""

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
    @pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":"invalid_grant"}'])
    def test_a_busy_server_is_asked_again(self, status, body):
        """408, 429 and 5xx are retried whatever their body says."""
        error = failure(answer(body, status))
        assert isinstance(error, TokenEndpointUnavailable)
        assert "redeemed elsewhere" not in error.message
        assert error.retry_after is None

    @pytest.mark.parametrize("code", ["temporarily_unavailable", "server_error"])
    def test_a_busy_server_may_say_so_in_json(self, code):
        """These two codes mean a retry with any status."""
        error = failure(answer({"error": code}, 400, retry_after="7"))
        assert isinstance(error, TokenEndpointUnavailable)
        assert error.retry_after == 7.0

    def test_a_conflict_is_told_apart(self):
        """409 says that somebody else redeems the same grant at this moment."""
        error = failure(answer(b"", 409, retry_after="2"))
        assert isinstance(error, TokenEndpointUnavailable)
        assert "redeemed elsewhere" in error.message
        assert error.retry_after == 2.0

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"retry_after": "0"}, 0.0),
            ({"retry_after": " 30 "}, 30.0),
            ({"retry_after": "9" * 5000}, MAX_RETRY_AFTER),
            ({"retry_after": "-5"}, None),
            ({"retry_after": "soon"}, None),
            ({"retry_after": "1.5"}, None),
            ({"retry_after": "Mon, 20 Jul 2026 12:00:09 GMT"}, 9.0),
            ({"retry_after": "Mon, 20 Jul 2026 11:00:00 GMT"}, 0.0),
            ({"retry_after": "Mon, 20 Jul 2099 12:00:00 GMT"}, MAX_RETRY_AFTER),
            (
                {
                    "retry_after": "Mon, 20 Jul 2026 13:00:05 GMT",
                    "date": "Mon, 20 Jul 2026 13:00:00 GMT",
                },
                5.0,
            ),
        ],
    )
    def test_retry_after_is_seconds_from_now(self, fields, expected):
        """Seconds or a date by the server's own clock; clamped; else unknown."""
        error = failure(answer(b"", 429, **fields))
        assert isinstance(error, TokenEndpointUnavailable)
        assert error.retry_after == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
BODIES = st.binary() | st.fixed_dictionaries(
    {},
    optional={
        "access_token": st.just(TOKEN) | JSON,
        "refresh_token": st.just(NEXT) | JSON,
        "expires_in": st.integers() | JSON,
        "token_type": st.sampled_from(["bearer", "mac"]) | JSON,
        "error": st.sampled_from(["invalid_grant", "invalid_client"]) | JSON,
        "error_description": st.just(f"see {TOKEN} and {NEXT}") | JSON,
    },
).map(lambda body: json.dumps(body).encode())
STATUSES = st.sampled_from([200, 400, 401, 409, 429, 503]) | st.integers(100, 999)


FOUR_ERRORS = {
    ReauthorizationRequired,
    TokenRequestRejected,
    TokenResponseMalformed,
    TokenEndpointUnavailable,
}


def outcome_of(of: TokenAnswer, **options: bool) -> TokenResponse | GrantError:
    """Return the token response or the error; anything else flies on."""
    try:
        return parse(of, **options)
    except GrantError as error:
        return error


@given(
    BODIES,
    STATUSES,
    st.booleans(),
    st.dictionaries(
        st.sampled_from(["retry-after", "date", "location", "content-type"]), st.text()
    ),
)
def test_any_answer_is_a_token_or_one_of_four_errors(body, status, needed, fields):
    """Whatever comes back, nothing else is raised and no message holds a secret."""
    of = TokenAnswer(status, fields, body)
    outcome = outcome_of(of, needs_refresh_token=needed)
    if isinstance(outcome, TokenResponse):
        assert status == 200
        assert 0 < outcome.expires_in <= MAX_EXPIRES_IN
        assert (outcome.refresh_token is not None) == needed
        told = repr(outcome)
    else:
        assert type(outcome) in FOUR_ERRORS
        assert outcome.__context__ is None
        told = "".join(traceback.format_exception(outcome)) + outcome.hint
    told += repr(of)
    assert TOKEN not in told
    assert NEXT not in told
