"""A person is told once of each state, and again only after it was over."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.events import (
    ClientRedeemed,
    EmergencyCopy,
    Exchanged,
    GrantEnding,
    RenewalFailed,
    Renewed,
    SaveFailed,
    TokensDeleted,
)
from everbearer.notify.needs import Need, Needs
from everbearer.renewal.status import Notice, ProfileStatus
from everbearer.stores.contract import Trouble, TroubleKind

DAY = 86400.0


def failed(code: str, profile: str = "dev") -> RenewalFailed:
    """Return a renewal in vain."""
    return RenewalFailed(1.0, profile, "stale", code, "the words", "the hint")


def renewed(profile: str = "dev") -> Renewed:
    """Return a renewal."""
    return Renewed(1.0, profile, "stale", "3f2a", 3600.0, 0.1)


def ending(ends_at: float = 5 * DAY, profile: str = "dev") -> GrantEnding:
    """Return a grant that ends."""
    return GrantEnding(DAY, profile, ends_at, "the hint")


def unsaved(profile: str = "dev") -> SaveFailed:
    """Return a token that cannot be saved."""
    return SaveFailed(1.0, profile, "disk full", "the hint", "")


def copied(profile: str = "dev", hint: str = "look") -> EmergencyCopy:
    """Return a copy that somebody has to look at."""
    return EmergencyCopy(1.0, profile, "it lies there", hint)


def client(outcome: str, profile: str = "dev") -> ClientRedeemed:
    """Return a redeem that was a client's own."""
    return ClientRedeemed(1.0, profile, outcome, "m", "h")


@pytest.mark.parametrize(
    ("event", "need"),
    [
        (
            failed("reauthorization_required"),
            Need("dev", "reauthorization_required", "the words", "the hint"),
        ),
        (
            failed("token_request_rejected"),
            Need("dev", "fix_configuration", "the words", "the hint"),
        ),
        (
            ending(),
            Need(
                "dev",
                "grant_ending",
                "the refresh token ends on 1970-01-06 unless it is renewed",
                "the hint",
            ),
        ),
        (
            ending(DAY),
            Need(
                "dev",
                "grant_ended",
                "the refresh token ended on 1970-01-02",
                "the hint",
            ),
        ),
        (
            unsaved(),
            Need(
                *("dev", "save_failed"),
                *("a new token cannot be saved: disk full", "the hint"),
            ),
        ),
        (copied(), Need("dev", "emergency_copy", "it lies there", "look")),
    ],
)
def test_what_needs_a_person_is_told_with_words_and_what_to_do(event, need):
    """For programs by the state, for people by the rest."""
    assert Needs().hear(event) == need


@pytest.mark.parametrize(
    "event",
    [
        failed("token_endpoint_unavailable"),
        failed("token_response_malformed"),
        failed("store_error"),
        copied(hint=""),
        renewed(),
        client("lost"),
        TokensDeleted(1.0, "dev", revoked=True),
        Exchanged(1.0, "GET", "h", "/", 502, "dev", "refuse", "grant_error", 0.1),
    ],
)
def test_what_passes_by_itself_is_not_told(event):
    """Nobody is woken for what is tried again."""
    assert Needs().hear(event) is None


def test_a_state_is_told_once_until_a_renewal():
    """However often and in however many requests it is met."""
    needs = Needs()
    assert needs.hear(failed("reauthorization_required"))
    assert not needs.hear(failed("reauthorization_required"))
    assert not needs.hear(client("old"))
    assert not needs.hear(failed("reauthorization_required"))
    needs.hear(renewed("other"))
    assert not needs.hear(failed("reauthorization_required"))
    needs.hear(renewed())
    assert needs.hear(failed("reauthorization_required"))
    needs.hear(client("saved"))
    assert needs.hear(failed("reauthorization_required"))


def test_states_and_profiles_are_told_apart():
    """A grant that ends and then has ended is two things to know."""
    needs = Needs()
    assert needs.hear(ending())
    assert needs.hear(ending(profile="prod"))
    assert needs.hear(ending(DAY))
    assert needs.hear(failed("reauthorization_required"))
    assert not needs.hear(ending())


def status(**more: object) -> ProfileStatus:
    """Return the status of a profile that is well."""
    plain = ProfileStatus("dev", "refresh_token", "fresh")
    return dataclasses.replace(plain, **more)


def trouble(kind: TroubleKind) -> Trouble:
    """Return what the store knows of a failure."""
    return Trouble(kind, "the words", 1.0, 1, 0.0, "g", "the hint")


REFUSED = trouble(TroubleKind.REAUTHORIZE)


def test_what_another_process_met_is_told():
    """It is in the store, and told once whoever met it first."""
    needs = Needs()
    seen = status(state="dead", trouble=REFUSED)
    (need,) = needs.see(seen, DAY)
    assert need == Need("dev", "reauthorization_required", "the words", "the hint")
    assert needs.see(seen, DAY) == ()
    assert needs.hear(failed("reauthorization_required")) is None
    (need,) = needs.see(
        status(state="none", trouble=trouble(TroubleKind.CONFIGURATION)), DAY
    )
    assert need.state == "fix_configuration"


def test_what_another_process_mended_is_over():
    """A fresh token of a grant without trouble: the next time is told again."""
    needs = Needs()
    assert needs.hear(failed("reauthorization_required"))
    assert needs.see(status(trouble=REFUSED), DAY) == ()
    assert needs.see(status(state="none"), DAY) == ()
    assert needs.hear(failed("reauthorization_required")) is None
    assert needs.see(status(), DAY) == ()
    assert needs.hear(failed("reauthorization_required"))


def test_a_trouble_that_passes_is_not_told():
    """The endpoint is away: the old token is served, or people are told to wait."""
    passing = trouble(TroubleKind.UNAVAILABLE), trouble(TroubleKind.MALFORMED)
    for each in passing:
        assert Needs().see(status(state="none", trouble=each), DAY) == ()


def test_an_end_that_comes_near_is_told_and_one_that_moved_away_is_over():
    """As by the event of the process that looks after unused grants."""
    needs = Needs()
    near = status(refresh_ends_at=5 * DAY, refresh_hint="the hint")
    (need,) = needs.see(near, DAY)
    assert need.state == "grant_ending"
    assert needs.hear(ending()) is None
    assert needs.see(status(refresh_ends_at=60 * DAY), DAY) == ()
    assert needs.hear(ending())
    (need,) = needs.see(near, 6 * DAY)
    assert need.state == "grant_ended"


def test_a_token_that_was_saved_at_last_is_over():
    """While the status still tells of it, it is not."""
    needs = Needs()
    assert needs.hear(unsaved())
    needs.see(status(notices=(Notice("m", "h"),)), DAY)
    assert needs.hear(unsaved()) is None
    needs.see(status(), DAY)
    assert needs.hear(unsaved())


NAMES = st.sampled_from(["dev", "prod"])
CODES = ["reauthorization_required", "token_request_rejected", "store_error"]
EVENTS = st.one_of(
    st.builds(failed, st.sampled_from(CODES), NAMES),
    st.builds(renewed, NAMES),
    st.builds(ending, st.sampled_from([0.0, 5 * DAY]), NAMES),
    st.builds(unsaved, NAMES),
    st.builds(copied, NAMES, st.sampled_from(["", "look"])),
    st.builds(client, st.sampled_from(["saved", "lost", "old"]), NAMES),
)


@given(st.lists(EVENTS, max_size=40))
def test_between_two_of_the_same_lies_a_renewal_and_none_is_swallowed(events):
    """As seen by one who only remembers what was new since the last renewal."""
    needs, told = Needs(), set()
    for event in events:
        alone = Needs().hear(event)
        need = needs.hear(event)
        well = isinstance(event, Renewed) or (
            isinstance(event, ClientRedeemed) and event.outcome == "saved"
        )
        if well:
            told = {each for each in told if each[0] != event.profile}
        if alone is None or (alone.profile, alone.state) in told:
            assert need is None
        else:
            assert need == alone
            told.add((alone.profile, alone.state))
