"""Bodies kept for a replay: within bounds, and never at the request's cost."""

from __future__ import annotations

import os
import resource
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.proxy.spool import Budget, Spool

KIB = 1024
IN_MEMORY = 256 * KIB


def body_of(spool: Spool) -> bytes:
    """Return what was kept."""
    return b"".join(spool.chunks())


@pytest.mark.parametrize("size", [0, 1, 100 * KIB, IN_MEMORY + 1, 1024 * KIB])
def test_what_was_written_comes_back_again_and_again(size: int):
    """In memory or in a file: the same bytes, in pieces of 256 KiB, any time."""
    body = os.urandom(size)
    spool = Spool(limit=2**30, budget=Budget(2**30))
    for start in range(0, size, 60_000):
        spool.write(body[start : start + 60_000])

    assert body_of(spool) == body
    assert body_of(spool) == body
    assert all(len(piece) <= 256 * KIB for piece in spool.chunks())
    assert spool.size == size
    assert not spool.broken
    spool.close()


def test_a_long_body_lies_in_a_file_that_nobody_can_open(tmp_path: Path, monkeypatch):
    """Beyond 256 KiB there is a file: of mode 0600, and without a name."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool(limit=2**30, budget=Budget(2**30))
    spool.write(bytes(IN_MEMORY + 1))

    status = os.fstat(spool._file.fileno())
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_nlink == 0
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_a_body_beyond_its_limit_is_not_kept():
    """The limit itself is kept; one byte more breaks the spool and frees it all."""
    budget = Budget(1000)
    spool = Spool(limit=100, budget=budget)
    spool.write(bytes(100))
    assert (budget.used, spool.broken) == (100, "")

    spool.write(b"x")

    assert "replay_body_limit" in spool.broken
    assert budget.used == spool.size == 0
    assert body_of(spool) == b""
    spool.write(b"more")
    assert budget.used == 0


def test_all_bodies_together_stay_within_the_budget():
    """The one that asks for too much is broken and frees its part; others are not."""
    budget = Budget(100)
    first, second = Spool(1000, budget), Spool(1000, budget)
    first.write(bytes(60))
    second.write(bytes(40))

    second.write(b"x")

    assert "spool_limit" in second.broken
    assert budget.used == 60
    third = Spool(1000, budget)
    third.write(bytes(40))
    assert not third.broken
    assert len(body_of(first)) == 60
    for spool in (first, second, third):
        spool.close()
        spool.close()
    assert budget.used == 0


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Let no file of this process grow beyond 300 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300 * KIB, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("piece", [KIB, 16 * KIB, 64 * KIB, 400 * KIB])
def test_a_full_disk_breaks_the_spool_and_not_the_request(small_disk, piece: int):
    """`write` raises nothing, whatever is pending; the reason names the disk's word."""
    budget = Budget(2**30)
    spool = Spool(limit=2**30, budget=budget)

    for _ in range(1024 * KIB // piece):
        spool.write(bytes(piece))

    assert "cannot be spooled" in spool.broken
    assert "too large" in spool.broken.lower()
    assert budget.used == 0
    spool.close()


def test_a_temporary_folder_that_is_not_there_breaks_the_spool(
    tmp_path: Path, monkeypatch
):
    """The file cannot even be made: the same."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    spool = Spool(limit=2**30, budget=Budget(2**30))
    spool.write(bytes(IN_MEMORY + 1))
    assert "cannot be spooled" in spool.broken
    spool.close()


@given(
    st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=40)), max_size=30),
    st.integers(0, 100),
    st.integers(0, 200),
)
def test_the_budget_is_what_the_spools_hold(writes, limit, total):
    """In any order of writes: a spool has its whole body, or says why it has none."""
    budget = Budget(total)
    spools = [Spool(limit, budget) for _ in range(3)]
    bodies = [b"", b"", b""]
    for which, piece in writes:
        spools[which].write(piece)
        bodies[which] += piece
        assert budget.used == sum(spool.size for spool in spools) <= total
    for spool, body in zip(spools, bodies, strict=True):
        assert body_of(spool) == (b"" if spool.broken else body)
        assert spool.size <= limit
        if len(body) > limit:
            assert spool.broken
        spool.close()
    assert budget.used == 0
