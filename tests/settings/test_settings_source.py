"""The configuration on disk, beside the one in force."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from everbearer.errors import ConfigError, Problem
from everbearer.policy.hosts import HostPattern
from everbearer.settings.model import (
    Address,
    ConnectTo,
    Listener,
    NetworkSettings,
    Settings,
    StoreSettings,
)
from everbearer.settings.source import Source


def settings(source: Path, *watched: Path, port: int = 8080) -> Settings:
    """Return a configuration that listens on *port*."""
    return Settings(
        source=source,
        profiles={},
        rules=(),
        store=StoreSettings(None, None),
        listeners=(Listener(Address("127.0.0.1", port)),),
        watched=frozenset({source, *watched}),
    )


async def test_what_needs_a_restart_is_told_until_there_was_one(tmp_path: Path):
    """It is compared with what the process began with, not with the last reload."""
    first = settings(tmp_path / "c.toml")
    source = Source(first, lambda: first)
    other = replace(first, listeners=(Listener(Address("127.0.0.1", 8081)),))

    assert source.accept(other) == ("listeners",)
    assert source.accept(other) == ("listeners",)
    assert source.accept(first) == ()


async def test_a_failure_that_nobody_expected_is_a_problem(tmp_path: Path):
    """Whatever loading raises, it ends neither the watching nor what is in force."""

    def load() -> Settings:
        raise PermissionError("secret-in-a-message")

    source = Source(settings(tmp_path / "c.toml"), load)

    with pytest.raises(ConfigError) as raised:
        await source.read()

    assert "PermissionError" in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_what_leads_elsewhere_waits_for_a_restart(tmp_path: Path):
    """Nothing is taken over of a configuration with another connect_to."""
    first = settings(tmp_path / "c.toml")
    there = ConnectTo(HostPattern("api.box.com"), 443, Address("127.0.0.1", 9443))
    other = replace(first, network=NetworkSettings(connect_to=(there,)))
    loaded = [other, first]
    source = Source(first, lambda: loaded.pop(0))

    with pytest.raises(ConfigError, match="restart") as raised:
        await source.read()

    assert raised.value.problems[0].path == "network.connect_to"
    assert await source.read() == first


async def test_a_change_is_seen_once(tmp_path: Path):
    """A file that changed is told, and then not again."""
    file = tmp_path / "c.toml"
    file.write_text("one")
    source = Source(settings(file), lambda: settings(file))

    assert not await source.has_changed()
    file.write_text("and two")
    assert await source.has_changed()
    assert not await source.has_changed()


async def test_a_file_that_was_missing_is_watched(tmp_path: Path):
    """What a bad configuration looked for may come later, and is then a change."""
    file, later = tmp_path / "c.toml", tmp_path / "later.txt"
    file.write_text("one")
    first = settings(file)
    source = Source(first, lambda: first)

    source.reject(ConfigError(Problem("p", "missing"), files=frozenset({later})), first)
    later.write_text("here")

    assert source.problems == ("p: missing",)
    assert await source.has_changed()


def test_a_slow_load_does_not_hold_up_the_end(tmp_path: Path):
    """A secret that nobody gives in time keeps no process from ending."""
    begun, never = threading.Event(), threading.Event()
    first = settings(tmp_path / "c.toml")

    def load() -> Settings:
        begun.set()
        never.wait()
        return first

    async def run() -> None:
        reading = asyncio.ensure_future(Source(first, load).read())
        await asyncio.to_thread(begun.wait)
        reading.cancel()

    asyncio.run(run())  # ends, or this test never does

    assert not never.is_set()
    never.set()
