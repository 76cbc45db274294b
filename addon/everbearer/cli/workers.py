"""`serve --workers`: several processes that serve as one."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import click

from everbearer.cli import voice
from everbearer.errors import ConfigError, Problem
from everbearer.events import ConfigurationChanged, GrantEnding
from everbearer.workers.parent import Parent

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from everbearer.events import Event
    from everbearer.settings.model import Settings
    from everbearer.workers.channel import Post


def refuse_workers(count: int, settings: Settings, ui: str) -> None:
    """Refuse what several processes cannot share; UsageError, ConfigError."""
    if count == 1:
        return
    if sys.platform != "linux":
        raise click.UsageError(
            "--workers is for Linux: other systems' keyrings do not survive a fork"
        )
    if ui != "dump":
        raise click.UsageError(f"--ui {ui} shows one process: leave --workers out")
    if settings.store.scheme == "memory":
        raise ConfigError(
            Problem(
                "store",
                "workers have to share a store, and this one is in memory",
                'set url = "sqlite:", or leave --workers out',
            ),
            files=settings.watched,
        )


def start(
    count: int, listening: Iterable[socket.socket], *, quiet: bool
) -> Post | None:
    """
    Start *count* workers and return in each of them, never in their parent.

    They accept from *listening*. A single one is this process, which has no
    parent. Raises EverbearerError.
    """
    if count == 1:
        return None
    # What is there now stays, in all of them: the collector need not touch it.
    gc.collect()
    gc.freeze()
    tell = _untold if quiet else voice.say
    return Parent(count, listening, tell, voice.warn).run()


def _untold(_: str) -> None:
    pass


def for_worker(
    tell: Callable[[Event], None], post: Post | None
) -> Callable[[Event], None]:
    """Return *tell*, without what all workers would tell but in number 1."""
    if post is None or post.number == 1:
        return tell

    def told(event: Event) -> None:
        # What cannot be read may be so in one of them only.
        fine = isinstance(event, ConfigurationChanged) and not event.problems
        if not (fine or isinstance(event, GrantEnding)):
            tell(event)

    return told
