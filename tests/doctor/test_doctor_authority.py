"""What is said of a CA of the user's own."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import pytest

from clients.test_authority_limits import older
from everbearer.clients.own_authority import find_or_make, key_file
from everbearer.doctor.authority import judge_own, ruled_host, shown
from everbearer.doctor.patient import Patient
from everbearer.doctor.result import Level
from everbearer.policy.hosts import HostPattern
from everbearer.policy.rules import Action
from everbearer.settings.model import Ca

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
RULED = (HostPattern.parse("api.example.com"), HostPattern.parse("api.box.com"))


def settings(*ruled):
    """Return as much of a configuration as is looked at."""
    rule = SimpleNamespace(action=Action.INJECT, hosts=ruled)
    proxy = SimpleNamespace(ca=Ca.OWN)
    return SimpleNamespace(ruled=ruled, rules=(rule,), proxy=proxy)


@pytest.fixture
def own(tmp_path):
    """Make one for Box alone."""
    return find_or_make(tmp_path / "ca", RULED[1:], NOW)


@pytest.mark.parametrize(
    ("days", "level"), [(0, Level.OK), (715, Level.WARN), (731, Level.FAIL)]
)
def test_it_ends(own, days, level):
    """Told before, with the command that makes another."""
    (result,) = judge_own(own, settings(*RULED[1:]), NOW + dt.timedelta(days))
    assert result.level is level
    assert result.fix == ("" if level is Level.OK else "run: everbearer ca --renew")


def test_tools_are_shown_a_host_that_it_may_speak_for(own):
    """The first that gets a token, if there is one; else they could only refuse."""
    assert ruled_host(settings(*RULED)) == "api.example.com"
    assert ruled_host(settings(*RULED), own.may_speak_for) == "api.box.com"
    (result,) = judge_own(own, settings(*RULED), NOW)
    assert "api.example.com" in result.detail


def test_an_older_one_is_to_be_renewed(own):
    """It says nothing of IP addresses, so it could speak for each."""
    (result,) = judge_own(replace(own, issued=older()), settings(*RULED[1:]), NOW)
    assert (result.level, result.fix) == (Level.WARN, "run: everbearer ca --renew")
    assert "any IP address" in result.detail


def test_nothing_is_signed_for_a_host_that_it_may_not_speak_for(own, tmp_path):
    """Where a token goes to such hosts alone, the CA is judged and no tool is."""
    patient = Patient(tmp_path / "c", {}, tmp_path, tmp_path / "ca")
    patient.found = settings(*RULED[:1])
    (result, *_), _, leaf = shown(patient)
    assert "api.example.com" in result.detail
    assert leaf is None


def test_one_that_is_damaged(own, tmp_path):
    """What the store's errors say is said, and nothing is shown."""
    key_file(tmp_path / "ca").write_text("no key")
    patient = Patient(tmp_path / "c", {}, tmp_path, tmp_path / "ca")
    patient.found = settings(*RULED)
    (result,), _, leaf = shown(patient)
    assert (result.level, result.exit_code, leaf) == (Level.FAIL, 3, None)
    assert "move it away" in result.fix
