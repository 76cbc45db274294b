"""The program is run as it is written, beside us, and not for ever."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from everbearer.notify.command import Run, Runner, environment
from everbearer.notify.needs import Need

NEED = Need("dev", "reauthorization_required", "the words", "run: everbearer login dev")


def test_the_environment_tells_and_keeps_secrets():
    """What an `env =` names is for everbearer alone; the rest is as it was."""
    around = {"PATH": "/bin", "BOX_SECRET": "canary", "EVERBEARER_STATE": "old"}
    assert environment(around, {"BOX_SECRET", "GONE"}, NEED, Path("/c.toml")) == {
        "PATH": "/bin",
        "EVERBEARER_PROFILE": "dev",
        "EVERBEARER_STATE": "reauthorization_required",
        "EVERBEARER_MESSAGE": "the words",
        "EVERBEARER_HINT": "run: everbearer login dev",
        "EVERBEARER_SOURCE": "/c.toml",
    }


def test_what_no_environment_takes_is_left_out():
    """A server's words may hold anything; a person is told all the same."""
    need = Need("dev", "fix_configuration", "the\0words", "")
    told = environment({}, (), need, Path("/c.toml"))
    assert told["EVERBEARER_MESSAGE"] == "thewords"


class Bench:
    """Runs Python programs in a folder, and waits for what is told."""

    def __init__(self, folder: Path, patience: float = 30.0) -> None:
        self.folder = folder
        self.told: list[str] = []
        self.runner = Runner(self.told.append, patience=patience)

    def start(self, program: str, *arguments: str, profile: str = "dev") -> None:
        """Start one with so much environment that Python runs."""
        command = (sys.executable, "-c", program, *arguments)
        run = Run(command, self.folder, {"PATH": os.environ["PATH"]})
        self.runner.start(profile, run, asyncio.get_running_loop())

    async def idle(self) -> None:
        """Wait until no program runs, and none waits."""
        deadline = time.monotonic() + 60
        while self.runner._waiting:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


@pytest.mark.real
async def test_arguments_are_arguments(tmp_path: Path):
    """No shell looks at them, nothing is on stdin, the folder is the given one."""
    bench = Bench(tmp_path)
    write = (
        "import os, sys; open('out', 'w').write("
        "repr((sys.argv[1:], sys.stdin.read(), os.getsid(0) == os.getpid())))"
    )
    bench.start(write, "$(touch canary)", "; touch canary")
    await bench.idle()
    out = (tmp_path / "out").read_text()
    assert out == repr((["$(touch canary)", "; touch canary"], "", True))
    assert not (tmp_path / "canary").exists()
    assert bench.told == []


@pytest.mark.real
async def test_one_of_a_profile_runs_at_a_time(tmp_path: Path):
    """The next follows when it has ended; another profile's does not wait."""
    bench = Bench(tmp_path)
    alone = (
        "import os, sys, time\n"
        "os.mkdir('running-' + sys.argv[1])\n"
        "time.sleep(0.05)\n"
        "os.rmdir('running-' + sys.argv[1])\n"
        "open('ended', 'a').write(sys.argv[1] + '\\n')\n"
    )
    for _ in range(3):
        bench.start(alone, "dev")
    bench.start(alone, "prod", profile="prod")
    await bench.idle()
    assert sorted((tmp_path / "ended").read_text().split()) == [*["dev"] * 3, "prod"]
    assert bench.told == []


@pytest.mark.real
async def test_one_that_does_not_end_is_killed_with_its_children(tmp_path: Path):
    """It is told, and the next one runs."""
    bench = Bench(tmp_path, patience=0.5)
    for_ever = (
        "import os, time\n"
        "child = os.fork()\n"
        "open('pids', 'a').write(f'{os.getpid()}\\n')\n"
        "time.sleep(600)\n"
    )
    bench.start(for_ever)
    bench.start("open('next', 'w')")
    await bench.idle()
    assert (tmp_path / "next").exists()
    [told] = bench.told
    assert "did not end within 0.5 seconds and was killed" in told
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        with pytest.raises(ProcessLookupError):
            await gone(pid)


@pytest.mark.real
async def test_one_for_which_there_is_no_thread_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is told, and the next one of the profile runs."""
    bench = Bench(tmp_path)

    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr("everbearer.notify.command.Thread.start", start)
        bench.start("open('first', 'w')")
    bench.start("open('next', 'w')")
    await bench.idle()
    assert (tmp_path / "next").exists()
    assert not (tmp_path / "first").exists()
    [told] = bench.told
    assert "there are too many threads" in told


@pytest.mark.real
async def test_one_that_cannot_be_killed_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One that is another user's by now (sudo) is waited for, and told."""
    bench = Bench(tmp_path, patience=0.2)

    def killpg(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("everbearer.notify.command.os.killpg", killpg)
    bench.start("import time; time.sleep(0.5)")
    bench.start("open('next', 'w')")
    await bench.idle()
    assert (tmp_path / "next").exists()
    assert "did not end within 0.2 seconds" in bench.told[0]


async def gone(pid: int) -> None:
    """Wait for the end of a process that is not ours; raises ProcessLookupError."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        os.kill(pid, 0)
        if unreaped(pid):
            raise ProcessLookupError
        await asyncio.sleep(0.01)


def unreaped(pid: int) -> bool:
    """Tell of an orphan that nobody reaps here; it is dead all the same."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"


@pytest.mark.real
async def test_a_failure_is_told_once_until_it_works(tmp_path: Path):
    """Not a line for each, and none that is forgotten."""
    bench = Bench(tmp_path)
    for program in ("exit(3)", "exit(4)", "pass", "exit(5)"):
        bench.start(program)
        await bench.idle()
    assert [text.split(";")[0] for text in bench.told] == [
        "notify.command: ended with status 3",
        "notify.command: ended with status 5",
    ]


@pytest.mark.real
async def test_one_that_has_gone_is_told(tmp_path: Path):
    """It was there when the configuration was read."""
    bench = Bench(tmp_path)
    run = Run((str(tmp_path / "gone"),), tmp_path, {})
    bench.runner.start("dev", run, asyncio.get_running_loop())
    await bench.idle()
    [told] = bench.told
    assert "cannot be started (no such file or directory)" in told
