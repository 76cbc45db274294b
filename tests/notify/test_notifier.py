"""The configuration in force says what is run, and when nobody is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from everbearer.broker import Broker
from everbearer.events import ConfigurationChanged, Exchanged, RenewalFailed
from everbearer.notify.notifier import Notifier, keep_notifying
from everbearer.settings.load import load
from everbearer.settings.model import NotifySettings
from everbearer.stores.contract import Record, Trouble, TroubleKind
from everbearer.stores.memory import MemoryStore

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from everbearer.notify.command import Run
    from everbearer.settings.model import Settings

CONFIG = """
[profiles.dev]
provider = "box"
grant = "refresh_token"
client_id = "id"
client_secret = { env = "BOX_SECRET" }

[notify]
command = ["/bin/true", "--to", "ada"]
"""
FAILED = RenewalFailed(
    1.0, "dev", "stale", "reauthorization_required", "refused", "the hint"
)


class Runs:
    """Remembers what was to be run."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Run]] = []

    def start(self, profile: str, run: Run, loop: asyncio.AbstractEventLoop) -> None:
        self.all.append((profile, run))


class Stage:
    """A broker whose configuration can be changed, and its notifier."""

    def __init__(self, settings: Settings, *, here: bool = True) -> None:
        self.next = settings
        self.store = MemoryStore()
        self.broker = Broker(settings, lambda: self.next, store=self.store)
        self.runs = Runs()
        around = {"PATH": "/bin", "BOX_SECRET": "canary"}
        self.notifier = Notifier(self.broker, self.runs, around, here=here)
        self.broker.subscribe(self.notifier)

    async def trouble(self) -> None:
        """Have the store know of a refusal that another process met."""
        profile = self.broker.settings.profiles["dev"]
        assert profile.grant is not None
        grant = profile.grant.fingerprint
        kind = TroubleKind.REAUTHORIZE
        record = Record(trouble=Trouble(kind, "refused", 1.0, 1, 0.0, grant))
        await self.store.save(profile.key, record)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return a configuration with a program."""
    config = tmp_path / "everbearer.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    return load(config, {"BOX_SECRET": "canary", "PATH": "/bin"})


async def test_the_program_is_run_with_what_happened(settings: Settings):
    """In the folder of the configuration, and without what it holds secret."""
    stage = Stage(settings)
    stage.broker.publish(FAILED)
    [(profile, run)] = stage.runs.all
    assert profile == "dev"
    assert run.command == ("/bin/true", "--to", "ada")
    assert run.folder == settings.source.parent
    assert run.environ["EVERBEARER_STATE"] == "reauthorization_required"
    assert run.environ["EVERBEARER_MESSAGE"] == "refused"
    login = f"run: everbearer login -c {settings.source} dev"
    assert run.environ["EVERBEARER_HINT"].endswith(login)
    assert "canary" not in repr(run.environ)
    await stage.broker.stop()


async def test_what_the_others_met_is_found_in_the_store(settings: Settings):
    """With the same words, and once."""
    stage = Stage(settings)
    await stage.notifier.look()
    assert stage.runs.all == []
    await stage.trouble()
    await stage.notifier.look()
    stage.broker.publish(FAILED)
    [(_, run)] = stage.runs.all
    assert run.environ["EVERBEARER_STATE"] == "reauthorization_required"
    login = f"run: everbearer login -c {settings.source} dev"
    assert run.environ["EVERBEARER_HINT"].endswith(login)
    await stage.broker.stop()


async def test_another_program_takes_over_by_a_reload(settings: Settings):
    """One that is there only now is told of what began before."""
    stage = Stage(replace(settings, notify=NotifySettings()))
    stage.broker.publish(FAILED)
    await stage.trouble()
    await stage.notifier.look()
    assert stage.runs.all == []
    stage.next = settings
    assert await stage.broker.reload()
    await stage.notifier.look()
    [(_, run)] = stage.runs.all
    assert run.command[0] == "/bin/true"
    await stage.broker.stop()


async def test_nothing_else_is_run(settings: Settings):
    """Not for requests, nor for what is told to everybody."""
    stage = Stage(settings)
    stage.broker.publish(ConfigurationChanged(1.0, "c.toml", ("a problem",)))
    stage.broker.publish(
        Exchanged(1.0, "GET", "h", "/", 502, "dev", "refuse", "grant_error", 0.1)
    )
    assert stage.runs.all == []
    await stage.broker.stop()


async def test_a_worker_that_does_not_tell_hears_nothing(settings: Settings):
    """Its neighbour does, and finds in the store what it has met."""
    told: list[str] = []
    broker = Broker(settings, lambda: settings, store=MemoryStore())
    notifier = keep_notifying(broker, told.append, here=False)
    notifier.begin()
    assert not notifier._tasks._running
    broker.publish(FAILED)
    assert not notifier._runner._waiting
    await broker.stop()


async def test_a_look_while_everbearer_stops_does_nothing(tmp_path: Path):
    """The real store is closed by then: no reason to tell of a failure."""
    config = tmp_path / "everbearer.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    around = {"BOX_SECRET": "canary", "PATH": "/bin"}
    settings = load(config, around, user_data_dir=tmp_path / "data")
    broker = Broker(settings, lambda: settings)
    notifier = keep_notifying(broker, lambda _: None)
    await notifier.look()
    await broker.stop()
    await notifier.look()
