"""What a 401 asks for is told in words, whatever the server wrote."""

from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.challenge_words import in_words


def test_boxs_own_challenge():
    """Box's challenge for a dead token says what is wrong with it."""
    sent = (
        'Bearer realm="Service", error="invalid_token", '
        'error_description="The access token provided is invalid."'
    )

    assert in_words([sent]) == (
        "Bearer, invalid_token (the token has ended, was revoked, or is not of this"
        ' server), the server says "The access token provided is invalid.", realm'
        " Service"
    )


def test_others():
    """An unknown error, a scope, a scheme without parameters: told as they are."""
    assert in_words(['Bearer error="odd", scope="a b"', "Negotiate"]) == (
        "Bearer, odd, scope a b; Negotiate"
    )
    assert in_words([]) == ""


def test_what_could_be_a_secret_is_masked():
    """A long run without spaces, which may be an echoed token, is not told."""
    token = "T" * 32

    assert token not in in_words([f'Bearer error="{token}", realm="{token}"'])


@given(st.lists(st.text()))
def test_any_field_is_one_printable_line(values):
    """Whatever is sent, one bounded line of printable ASCII comes of it."""
    told = in_words(values)

    assert all(" " <= character <= "~" for character in told)
    assert len(told) < 5000
