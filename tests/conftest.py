"""The unit part is kept apart; what the tests measured is told at their end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# A loaded machine is no failure.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")

OUTSIDE = {
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "socket.bind",
    "socket.connect",
    "subprocess.Popen",
}
"""Audit events that only tests marked `real` may cause."""

_unit: list[str] = []
"""The test of the unit part that runs now, if one does."""


@pytest.fixture(scope="session")
def real() -> None:
    """Be asked for by a fixture that starts a process or opens a socket."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that the fixture `real` is behind."""
    for item in items:
        if "real" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real)


def pytest_collection_finish() -> None:
    """Spare the tests' garbage collections the walk through all that was collected."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tell the audit hook which test it watches."""
    if item.get_closest_marker("real") is None:
        _unit.append(item.nodeid)
    try:
        return (yield)
    finally:
        _unit.clear()


def _watch(event: str, _: object) -> None:
    if _unit and event in OUTSIDE:
        # Not an Exception, which what is tested may handle.
        pytest.fail(f"{_unit[0]} causes {event}: mark it with pytest.mark.real")


def pytest_configure() -> None:
    """Watch what the interpreter reports from now on."""
    sys.addaudithook(_watch)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded with `record_property("measured", …)`."""
    told = [
        str(value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "measured"
    ]
    if told:
        terminalreporter.section("measured")
        for line in told:
            terminalreporter.line(line)
