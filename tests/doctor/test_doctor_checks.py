"""Checks are made one after the other, and none of them ends the whole."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from everbearer.doctor.aside import aside
from everbearer.doctor.checks import CHECKS, Check, examine
from everbearer.doctor.patient import Patient
from everbearer.doctor.result import Level, ok
from everbearer.errors import StoreError


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """Return a set-up without a configuration."""
    return Patient(tmp_path / "none.toml", {}, tmp_path, tmp_path / "ca")


async def made(patient, *checks):
    """Make the checks and return what they say, by name."""
    return [(c.name, r) async for c, r in examine(patient, checks)]


async def fine(_):
    """Be content."""
    return (ok("it", "is well"),)


async def test_a_check_that_raises_ends_nothing(patient):
    """Our errors say what to do; of others only the kind is told."""

    async def ours(_):
        raise StoreError("the store is gone", hint="bring it back")

    async def bug(_):
        raise ValueError("c4nary")

    found = await made(
        patient,
        Check("a", ours, sound=False),
        Check("b", bug, sound=False),
        Check("c", fine, sound=False),
    )

    first, second, third = (result for _, result in found)
    assert (first.exit_code, first.fix) == (3, "bring it back")
    assert second.level is Level.FAIL
    assert "ValueError" in second.detail
    assert "c4nary" not in second.detail
    assert third.level is Level.OK


async def test_a_check_has_an_end(patient):
    """Nobody waits for what does not answer."""

    async def silent(_):
        await asyncio.Event().wait()

    ((_, result), (_, after)) = await made(
        patient,
        Check("a", silent, patience=0.0, sound=False),
        Check("b", fine, sound=False),
    )

    assert result.level is Level.FAIL
    assert "not done within" in result.detail
    assert after.level is Level.OK


async def test_a_thread_that_blocks_holds_nobody_up(patient):
    """A keyring that waits for a person is left alone with it."""
    forever = threading.Event()
    try:

        async def blocked(_):
            await aside(forever.wait)

        ((_, result),) = await made(
            patient, Check("a", blocked, patience=0.01, sound=False)
        )
        assert "not done within" in result.detail
    finally:
        forever.set()


async def test_what_a_call_beside_raises_is_raised():
    """And what it returns is returned."""
    assert await aside(lambda: 7) == 7
    with pytest.raises(KeyError):
        await aside(lambda: {}["x"])


async def test_without_a_sound_configuration_the_rest_is_skipped(patient):
    """What does not need one is looked at all the same."""
    found = await made(
        patient, CHECKS[0], Check("a", fine), Check("b", fine, sound=False)
    )

    levels = [result.level for _, result in found]
    assert levels == [Level.FAIL, Level.SKIP, Level.OK]
    assert found[0][1].exit_code == 2
    assert "does not exist" in found[0][1].detail


async def test_offline_asks_nobody(patient):
    """What asks servers is skipped, with the reason."""
    patient.offline = True

    ((_, result),) = await made(patient, Check("a", fine, sound=False, asks=True))

    assert result.level is Level.SKIP
    assert "--offline" in result.detail


def test_every_check_has_a_name_of_its_own():
    """They are told by it."""
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
