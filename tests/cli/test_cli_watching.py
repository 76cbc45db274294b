"""Whose end is watched."""

from __future__ import annotations

import os

import pytest

from everbearer.cli.watching import Watched


def test_the_parent_is_watched_while_it_is_that():
    """The one from before the fork, and nobody who has its id or is there instead."""
    watched = Watched.parent(os.getppid())
    assert watched.pid == os.getppid()
    assert not watched.has_ended()
    with pytest.raises(ProcessLookupError):
        Watched.parent(os.getpid())
