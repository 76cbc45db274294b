"""What is told to be wrong, and what is to be done about it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from samples import settings, status, trouble

from everbearer.dashboard.collector import Collector
from everbearer.dashboard.profiles import can, shown, span_of
from everbearer.dashboard.troubles import Trouble, troubles
from everbearer.errors import StoreError
from everbearer.events import ConfigurationChanged, SaveFailed
from everbearer.renewal.status import Notice
from everbearer.settings.model import Endpoints, Settings, Standing
from everbearer.stores.contract import TroubleKind
from happened import AT, failed, renewed


@pytest.fixture
def known() -> Collector:
    """Give a collector that knows of nothing."""
    return Collector()


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    """Give a configuration with a profile of each kind."""
    return settings(tmp_path)


def found(config: Settings, known: Collector, *statuses, problems=()) -> list[Trouble]:
    """Return what is wrong."""
    standing = Standing(config.source, problems)
    return troubles(config, standing, statuses, known, None)


def test_nothing_is_wrong(config: Settings, known: Collector):
    """With tokens that are fresh, stale, expired or not there yet."""
    known(failed(AT))
    known(renewed(AT + 1))
    states = [status(state=state) for state in ("fresh", "stale", "expired", "none")]
    assert found(config, known, *states) == []


@pytest.mark.parametrize(
    ("name", "kind", "level", "action", "hint"),
    [
        ("app", TroubleKind.CONFIGURATION, "error", "renew", "correct client_id"),
        ("app", TroubleKind.UNAVAILABLE, "warning", "renew", "everbearer renew app"),
        ("app", TroubleKind.MALFORMED, "warning", "renew", "everbearer renew app"),
        (
            "person",
            TroubleKind.REAUTHORIZE,
            "error",
            "login",
            "everbearer login person",
        ),
    ],
)
def test_a_trouble_of_the_grant(
    config: Settings,
    known: Collector,
    name: str,
    kind: TroubleKind,
    level: str,
    action: str,
    hint: str,
):
    """Each has its level, the command to run, and what the page offers."""
    known(failed(AT, profile=name))
    (told,) = found(config, known, status(name, trouble=trouble(kind)))
    assert (told.level, told.action, told.profile) == (level, action, name)
    assert hint in told.hint
    assert told.since == AT - 5


def test_without_a_token_a_passing_trouble_is_an_error(
    config: Settings, known: Collector
):
    """Nothing is served meanwhile."""
    unavailable = trouble(TroubleKind.UNAVAILABLE)
    (told,) = found(config, known, status(state="none", trouble=unavailable))
    assert told.level == "error"


def test_commands_name_the_configuration(config: Settings):
    """Whoever pastes them runs them on the one that this is about."""
    told = Trouble("error", "x", "run: everbearer renew app")
    shown = told.shown(Standing(config.source))
    assert shown["hint"] == f"run: everbearer renew -c {config.source} app"


def test_a_failed_renewal_is_told_until_one_succeeds(
    config: Settings, known: Collector
):
    """Where the store knows of no trouble."""
    known(failed(AT))
    (told,) = found(config, known, status())
    assert (told.level, told.since) == ("warning", AT)
    known(renewed(AT + 1))
    assert found(config, known, status()) == []


def test_a_dead_developer_token(config: Settings, known: Collector):
    """There is nothing to be renewed: a person makes another one."""
    (told,) = found(config, known, status("token", state="dead"))
    assert told.action == ""
    assert "developer console" in told.hint


def test_what_is_not_saved(config: Settings, known: Collector):
    """By the status, or by the event of another worker; until it is saved."""
    known(SaveFailed(AT, "app", "no space left", "make room", ""))
    (told,) = found(config, known, status())
    assert (told.level, told.hint) == ("error", "make room")
    noticed = status(notices=(Notice("not on disk", "make room!"),))
    (told,) = found(config, known, noticed)
    assert (told.text, told.since) == ("app: not on disk", AT)
    known(renewed(AT + 1))
    assert found(config, known, status()) == []


def test_a_grant_that_ends_soon(config: Settings, known: Collector):
    """The day, and the command."""
    ending = status(
        "person", refresh_ends_at=AT, refresh_hint="run: everbearer renew person"
    )
    (told,) = found(config, known, ending)
    assert "ends on 2026-10-26" in told.text
    assert (told.level, told.action) == ("warning", "renew")


def test_a_configuration_that_is_not_in_force(config: Settings, known: Collector):
    """Its problems, or what waits for a restart; and errors come first."""
    known(ConfigurationChanged(AT, "x", needs_restart=("listeners", "store")))
    known.lose(7)
    (restart, lost) = found(config, known)
    assert "listeners, store" in restart.text
    assert lost.text.startswith("7 events")
    known(ConfigurationChanged(AT, "x", problems=("bad",)))
    (first, second) = found(config, known, problems=("bad",))
    assert first.level == "error"
    assert "bad" in first.text
    assert second is not first


def test_a_store_that_cannot_be_read(config: Settings, known: Collector):
    """Why, and what to do."""
    error = StoreError("no such disk", hint="buy one")
    standing = Standing(config.source)
    (told,) = troubles(config, standing, (), known, error)
    assert (told.level, told.text, told.hint) == ("error", "no such disk", "buy one")


def test_what_can_be_done_with_a_profile(config: Settings):
    """A developer token is nobody's business here; only people log in."""
    assert [can(config.profiles[name]) for name in ("app", "person", "token")] == [
        {"renew": True, "login": False, "revoke": True},
        {"renew": True, "login": True, "revoke": True},
        {"renew": False, "login": False, "revoke": False},
    ]


def test_a_browser_that_ends_elsewhere_is_for_the_terminal(config: Settings):
    """With a redirect URI of https, or no server to ask, there is no login here."""
    person = config.profiles["person"]
    away = dataclasses.replace(person.endpoints, redirect_uri="https://x.example/")
    assert not can(dataclasses.replace(person, endpoints=away))["login"]
    assert can(dataclasses.replace(person, endpoints=Endpoints())) == {
        "renew": True,
        "login": False,
        "revoke": False,
    }


def test_a_profile_as_it_is_shown(config: Settings, known: Collector):
    """Times by the wall clock; who it acts for; what became of the last renewal."""
    known(renewed(AT))
    profile, state = config.profiles["app"], status()
    span = span_of(profile, state, AT)

    told = shown(profile, state, "app", known, span)

    assert told["is_default"] is True
    assert told["subject"] == "enterprise 7"
    assert (told["issued_at"], told["expires_at"]) == (AT - 600, AT + 3000)
    assert (told["stale_at"], told["expired_at"]) == (AT + 2700, AT + 2990)
    assert told["last"]["outcome"] == "renewed"
    assert "hush" not in str(told)


def test_a_token_without_a_known_end_has_no_times(config: Settings, known: Collector):
    """JSON has no infinity."""
    profile = config.profiles["token"]
    state = status("token", expires_in=float("inf"))
    assert span_of(profile, state, AT) is None
    assert shown(profile, state, "app", known, None)["expires_at"] is None
