"""What waits for nothing is over at once; what waits ends as a coroutine would."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from everbearer.proxy.waiting import begin

if TYPE_CHECKING:
    from everbearer.proxy.waiting import Waits


async def give(value: object) -> object:
    """Return it in another turn of the loop; raise it, if it can be raised."""
    await asyncio.sleep(0)
    if isinstance(value, BaseException):
        raise value
    return value


def steps(trace: list[object], *values: object) -> Waits[None]:
    """Wait for each of *values*; note what comes, and the end, whichever it is."""
    try:
        for value in values:
            try:
                trace.append((yield give(value)))
            except ValueError as error:
                trace.append(error)
    except BaseException as error:
        trace.append(type(error))
        raise
    finally:
        trace.append("end")


def test_what_waits_for_nothing_is_over_at_once():
    """Then there is nothing to await, and no loop is needed."""
    trace: list[object] = []

    assert begin(steps(trace)) is None
    assert trace == ["end"]


def test_what_fails_before_it_waits_raises_at_once():
    """To whoever began it."""

    def failing() -> Waits[None]:
        raise ValueError(1)
        yield

    with pytest.raises(ValueError, match="1"):
        begin(failing())


async def test_what_comes_is_sent_back_in_its_order():
    """Values are; an error is raised where it was waited for, and may be handled."""
    trace: list[object] = []
    error = ValueError("one")
    rest = begin(steps(trace, 1, error, None, 2))
    assert rest is not None
    assert trace == []
    await rest

    assert trace == [1, error, None, 2, "end"]


@pytest.mark.parametrize("kind", [RuntimeError, SystemError, asyncio.CancelledError])
async def test_an_error_that_is_not_handled_is_raised(kind: Any):
    """To who awaits the rest, once, and nothing after it is begun."""
    trace: list[object] = []
    rest = begin(steps(trace, kind("no"), 2))
    assert rest is not None

    with pytest.raises(kind, match="no"):
        await rest
    assert trace == [kind, "end"]


async def test_a_task_that_waits_can_be_cancelled():
    """Whatever it waits for is cancelled, and the steps end where they are."""
    trace: list[object] = []
    never: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def waiting() -> Waits[None]:
        try:
            yield never
        finally:
            trace.append("end")

    rest = begin(waiting())
    assert rest is not None
    task = asyncio.ensure_future(rest)
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert never.cancelled()
    assert trace == ["end"]


async def test_steps_that_handle_a_cancellation_are_over():
    """A hook that turns it into a refusal has ended in order."""

    def handling() -> Waits[None]:
        try:
            yield give(1)
        except asyncio.CancelledError:
            trace.append("refused")

    trace: list[object] = []
    rest = begin(handling())
    assert rest is not None
    task = asyncio.ensure_future(rest)
    await asyncio.sleep(0)
    task.cancel()
    await task

    assert trace == ["refused"]


async def test_a_rest_that_is_closed_ends_the_steps():
    """As the end of a loop does: the steps see it, and may still refuse."""
    trace: list[object] = []
    rest = begin(steps(trace, 1, 2))
    assert rest is not None
    rest.send(None)
    rest.close()

    assert trace == [GeneratorExit, "end"]
