"""What the log learns of unexpected failures."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from everbearer.report import report
from everbearer.tasks import Tasks

CANARY = "canary-7f3a"


class _Dead(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError(f"no way to tell {record.msg}")


@pytest.fixture
def dead_log() -> Iterator[None]:
    """Give the log a handler that raises."""
    handler = _Dead()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)


def test_where_and_what_kind_is_told_and_never_the_text(caplog):
    """The type and the stack are in the log; what the error says is not."""
    try:
        int(CANARY)
    except ValueError as error:
        report("it failed", error)
    assert "it failed: ValueError" in caplog.text
    assert "test_where_and_what_kind" in caplog.text
    assert CANARY not in caplog.text


def test_a_log_that_fails_harms_nobody(dead_log):
    """Whoever reports a failure goes on, even where the log cannot take it."""
    report("it failed", ValueError(CANARY))
    with pytest.raises(RuntimeError):
        logging.getLogger("everbearer").error("the handler is really there")


async def test_a_background_task_fails_without_its_text(caplog):
    """A task's failure has the task's name and its kind, not what it held."""

    async def work() -> None:
        raise KeyError(CANARY)

    tasks = Tasks()
    tasks.spawn(work(), "renew dev")
    await tasks.drain()
    assert "renew dev failed unexpectedly: KeyError" in caplog.text
    assert CANARY not in caplog.text
