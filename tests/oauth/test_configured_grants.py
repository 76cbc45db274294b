"""Grants as the configuration makes them."""

from everbearer.oauth.grants import GRANTS
from everbearer.oauth.grants.contract import GrantSettings, Subject
from everbearer.oauth.grants.refresh_token import LOGGED_OUT, NOT_LOGGED_IN
from everbearer.secret import Secret

ENTERPRISE = Subject("enterprise", "1")


def test_client_credentials_take_their_subject_from_the_configuration():
    """Client id, secret and subject are those of the profile."""
    grant = GRANTS["client_credentials"].configured(
        GrantSettings("client", Secret("hush"), subject=ENTERPRISE)
    )
    assert grant == GRANTS["client_credentials"]("client", Secret("hush"), ENTERPRISE)


def test_a_refresh_grant_without_a_seed_waits_for_a_login():
    """Nobody was refused then; with `invalid_grant` it says what may have happened."""
    kind = GRANTS["refresh_token"]
    without = kind.configured(GrantSettings("client", Secret("hush")))
    assert without.seed is None
    hint = without.reauthorize_hint("dev", NOT_LOGGED_IN)
    assert hint == "run: everbearer login dev"
    assert without.reauthorize_hint("dev", LOGGED_OUT) == hint
    assert "was revoked" in without.reauthorize_hint("dev", "Refresh token has expired")
