"""Grants as the configuration makes them."""

from everbearer.oauth.grants import GRANTS
from everbearer.oauth.grants.contract import GrantSettings, Subject
from everbearer.secret import Secret

ENTERPRISE = Subject("enterprise", "1")


def test_client_credentials_take_their_subject_from_the_configuration():
    """Client id, secret and subject are those of the profile."""
    grant = GRANTS["client_credentials"].configured(
        GrantSettings("client", Secret("hush"), subject=ENTERPRISE)
    )
    assert grant == GRANTS["client_credentials"]("client", Secret("hush"), ENTERPRISE)


def test_a_refresh_grant_without_a_seed_says_where_to_write_one():
    """With a seed the hint is to put a new one in its place."""
    kind = GRANTS["refresh_token"]
    without = kind.configured(GrantSettings("client", Secret("hush")))
    assert without.seed is None
    assert "write profiles.dev.refresh_token" in without.reauthorize_hint("dev")
    settings = GrantSettings("client", Secret("hush"), refresh_token=Secret("r"))
    assert "put a new one" in kind.configured(settings).reauthorize_hint("dev")
