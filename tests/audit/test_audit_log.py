"""Each event is one line, and what cannot be written is told and counted."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from everbearer import events
from everbearer.audit.line_file import LineFile
from everbearer.audit.lines import SCHEMA, line_of
from everbearer.audit.log import AuditLog, check_log, keep_log
from everbearer.broker import Broker
from everbearer.errors import ConfigError, Problem
from everbearer.events import AuditLinesLost, Event, Exchanged, RenewalFailed
from everbearer.settings.load import load
from everbearer.settings.model import AuditSettings
from everbearer.stores.memory import MemoryStore

AT = 1_793_000_000.25

PROFILE = """
[profiles.dev]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = "hush"
subject = { type = "enterprise", id = "7" }
"""


def exchanged(**changes: object) -> Exchanged:
    """Return a request that has ended."""
    plain = Exchanged(
        AT, "GET", "api.box.com", "/2.0/x", 200, "dev", "inject", "fresh", 0.0123456789
    )
    return dataclasses.replace(plain, **changes)


def test_a_line_tells_who_what_and_how_it_ended():
    """The whole of it, as the documentation has it."""
    event = exchanged(
        client="127.0.0.1",
        user="ada",
        rule="rules[0]",
        token="3f2a",
        id="f-1",
        reason="the request has no credential",
        port=443,
    )
    assert json.loads(line_of(event)) == {
        "v": 1,
        "at": "2026-10-26T07:33:20.250Z",
        "event": "request",
        "client": "127.0.0.1",
        "user": "ada",
        "method": "GET",
        "host": "api.box.com",
        "path": "/2.0/x",
        "profile": "dev",
        "verdict": "inject",
        "code": "fresh",
        "rule": "rules[0]",
        "note": "",
        "token": "3f2a",
        "status": 200,
        "replayed": False,
        "duration": 0.012346,
        "id": "f-1",
        "reason": "the request has no credential",
        "rejected": "",
        "challenge": "",
        "port": 443,
    }


def test_times_are_utc_or_none():
    """Seconds since the epoch become RFC 3339; 0, which stands for none, null."""
    failed = RenewalFailed(AT, "dev", "stale", "code", "message", "hint", AT + 60)
    assert json.loads(line_of(failed))["retry_at"] == "2026-10-26T07:34:20.250Z"
    failed = dataclasses.replace(failed, retry_at=0.0)
    assert json.loads(line_of(failed))["retry_at"] is None


def test_every_event_has_a_line():
    """A new event, or a member that is renamed, does not get past this."""
    kinds = set(get_args(events.Event.__value__))
    assert set(SCHEMA) == kinds
    for kind, (_, members) in SCHEMA.items():
        assert set(members) <= {each.name for each in dataclasses.fields(kind)}


@pytest.mark.parametrize("path", ["/a\nb", "/\u2028", "/\x1b[2J", "/\udc80", '/"'])
def test_a_line_is_one_line_whatever_was_sent(path: str):
    """Line breaks, control characters and what is no text: JSON, on one line."""
    line = line_of(exchanged(path=path))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert isinstance(json.loads(line), dict)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/\x7f", rb"/\u007f"),
        ("/\x9b2J", rb"/\u009b2J"),
        ("/\u2028\xa0", rb"/\u2028\u00a0"),
        ("/\U000e0001", rb"/\udb40\udc01"),
        ("/\\\x9b", rb"/\\\u009b"),
        ("/\xe9 \U0001f600", "/\xe9 \U0001f600".encode()),
    ],
)
def test_what_cannot_be_seen_is_escaped(path: str, shown: bytes):
    """And what can be is there as it is."""
    line = line_of(exchanged(path=path))
    assert b'"path":"' + shown + b'"' in line
    assert json.loads(line)["path"] == path


def test_a_file_beyond_its_size_is_told_once_and_when_it_ends(tmp_path: Path):
    """With the reason and what to do, at the start too; each line is there."""
    now = [0.0]
    path, way = tmp_path / "log", tmp_path / "log.1"
    (way / "full").mkdir(parents=True)
    path.touch(0o600)
    path.write_bytes(b"{}\n" * 300)
    told: list[str] = []
    file = LineFile(path, 500, 1, clock=lambda: now[0])
    log = AuditLog(file, told.append, pytest.fail)
    log.begin()
    for _ in range(3):
        log(exchanged())
        now[0] += 61
    (words,) = told
    assert words == (
        f"the audit log cannot leave {path} at max_size and goes on in it, no line is"
        " lost: is a directory; let this user write to the folder, where log.1 and so"
        " on have to be files"
    )
    assert len(path.read_bytes().splitlines()) == 303
    way.rename(tmp_path / "elsewhere")
    log(exchanged())
    assert told[1:] == [f"the audit log leaves {path} at max_size again"]
    assert len(way.read_bytes().splitlines()) == 303
    log.close()


def test_a_log_that_is_not_ours_is_told_with_the_way_out(tmp_path: Path):
    """At a start an error, else its lines are lost and counted as on a full disk."""
    path = tmp_path / "log"
    path.touch()
    path.chmod(0o666)
    told: list[str] = []
    published: list[Event] = []
    log = AuditLog(LineFile(path, 1000, 1), told.append, published.append)
    why = f"{path} is writable by others, who could change the log"
    fix = f"run: chmod go-w {path}"
    with pytest.raises(ConfigError) as caught:
        log.begin()
    assert caught.value.problems == (Problem("audit.file", why, fix),)
    log(exchanged())
    log(exchanged())
    words = "the audit log cannot be written, its lines are lost"
    assert told == [f"{words}: {why}; {fix}"]
    assert published == [AuditLinesLost(AT, 1)]
    path.chmod(0o600)
    log(exchanged())
    assert told[1:] == ["the audit log is written again, 2 lines lost"]
    log.close()


def test_a_log_is_judged_without_being_made(tmp_path: Path):
    """By those who only look: what a start would refuse, and nothing else."""
    place = AuditSettings(tmp_path / "log")
    check_log(AuditSettings())
    check_log(place)
    assert not list(tmp_path.iterdir())
    place.file.mkdir()
    with pytest.raises(ConfigError, match=r"audit\.file: cannot be written: is a"):
        check_log(place)


def test_lost_lines_are_told_once_and_counted_in_the_file(tmp_path):
    """A folder that cannot be written: one word when it begins, one when it ends."""
    told: list[str] = []
    path = tmp_path / "folder" / "log"
    path.parent.write_text("in the way")
    published: list[Event] = []
    log = AuditLog(LineFile(path, 1000, 1), told.append, published.append)
    for _ in range(3):
        log(exchanged())
    assert published == [AuditLinesLost(AT, 1)]
    path.parent.unlink()
    log(published[0])
    assert not path.exists()
    log(exchanged())
    log(exchanged())
    assert told == [
        "the audit log cannot be written, its lines are lost: not a directory",
        "the audit log is written again, 3 lines lost",
    ]
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [each["event"] for each in found] == ["lines_lost", "request", "request"]
    assert found[0]["count"] == 3
    assert published == [AuditLinesLost(AT, 1), AuditLinesLost(AT, 2)]


async def test_whoever_counts_is_told_of_lost_lines(tmp_path):
    """By the events of the broker whose log it is."""
    config = tmp_path / "everbearer.toml"
    config.write_text(f'{PROFILE}[audit]\nfile = "{tmp_path}/folder/log"\n')
    config.chmod(0o600)
    (tmp_path / "folder").write_text("in the way")
    settings = load(config, {})
    broker = Broker(settings, lambda: settings, store=MemoryStore())
    published: list[Event] = []
    broker.subscribe(published.append)
    event = exchanged()
    with keep_log(broker, lambda _: None, must=False):
        for _ in range(2):
            broker.publish(event)
        await asyncio.sleep(0)
    assert published == [event, event, AuditLinesLost(AT, 2)]
    await broker.stop()


class Noted(LineFile):
    """A file that tells what each write was."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, 1 << 30, 1)
        self.writes: list[bytes] = []

    def append(self, lines: bytes) -> int:
        self.writes.append(lines)
        return super().append(lines)


async def test_a_turn_of_the_loop_is_one_write(tmp_path: Path):
    """Events of a turn are written together, in the next; nothing waits longer."""
    file = Noted(tmp_path / "log")
    log = AuditLog(file, pytest.fail, pytest.fail)
    turns = []
    for turn in range(3):
        events = [exchanged(path=f"/{turn}/{n}") for n in range(4)]
        for event in events:
            log(event)
        assert len(file.writes) == turn
        await asyncio.sleep(0)
        turns.append(b"".join(map(line_of, events)))
        assert file.writes == turns
    assert (tmp_path / "log").read_bytes() == b"".join(turns)


async def test_what_waits_is_bounded(tmp_path: Path):
    """So many events are written at once, in whatever turn."""
    file = Noted(tmp_path / "log")
    log = AuditLog(file, pytest.fail, pytest.fail)
    for _ in range(127):
        log(exchanged())
    assert file.writes == []
    log(exchanged())
    assert file.writes == [128 * line_of(exchanged())]
    log(exchanged())
    await asyncio.sleep(0)
    assert file.writes == [128 * line_of(exchanged()), line_of(exchanged())]


async def test_an_event_without_a_line_takes_no_other_with_it(tmp_path: Path, caplog):
    """It is a mistake of ours, and told as one; those around it are written."""
    file = Noted(tmp_path / "log")
    log = AuditLog(file, pytest.fail, pytest.fail)
    for event in (exchanged(), exchanged(path=object()), exchanged()):
        log(event)
    await asyncio.sleep(0)
    assert file.writes == [2 * line_of(exchanged())]
    assert "an event has no line in the audit log" in caplog.text


def test_without_a_loop_a_line_is_written_at_once(tmp_path: Path):
    """There is no next turn that would do it."""
    file = Noted(tmp_path / "log")
    log = AuditLog(file, pytest.fail, pytest.fail)
    log(exchanged())
    log(exchanged())
    assert file.writes == 2 * [line_of(exchanged())]


async def test_an_orderly_end_leaves_no_line_behind(tmp_path: Path):
    """What waits is written when the log is closed, and what comes after that too."""
    path = tmp_path / "log"
    config = tmp_path / "everbearer.toml"
    config.write_text(f'{PROFILE}[audit]\nfile = "{path}"\n')
    config.chmod(0o600)
    settings = load(config, {})
    broker = Broker(settings, lambda: settings, store=MemoryStore())
    with keep_log(broker, pytest.fail, must=True):
        broker.publish(exchanged())
        assert path.read_bytes() == b""
    assert path.read_bytes() == line_of(exchanged())
    broker.publish(exchanged())
    await asyncio.sleep(0)
    assert path.read_bytes() == 2 * line_of(exchanged())
    await broker.stop()


def test_an_end_tells_what_is_lost_for_good(tmp_path: Path):
    """Where the file can be written again it says so, else the log does."""
    told: list[str] = []
    folder = tmp_path / "folder"
    folder.write_text("in the way")
    published: list[Event] = []
    log = AuditLog(LineFile(folder / "log", 1000, 1), told.append, published.append)
    log(exchanged())
    log(exchanged())
    log.close()
    assert told[1:] == ["the audit log ends without its last lines: 2"]
    assert published == 2 * [AuditLinesLost(AT, 1)]
    folder.unlink()
    log.close()
    assert told[2:] == ["the audit log is written again, 2 lines lost"]
    found = json.loads((folder / "log").read_text())
    assert (found["event"], found["count"]) == ("lines_lost", 2)


FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
from everbearer.audit.line_file import LineFile
from everbearer.audit.log import AuditLog
from everbearer.events import DefaultChosen

def room(most):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

async def main():
    log = AuditLog(LineFile(Path(sys.argv[1]), 1 << 30, 1), print, lambda _: None)
    for most in (350, 350, 100_000):
        room(most)
        for n in range(5):
            log(DefaultChosen(float(n), "dev"))
        await asyncio.sleep(0)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
asyncio.run(main())
"""


@pytest.mark.real
def test_of_lines_that_fit_in_part_each_is_there_or_counted(tmp_path: Path):
    """A disk that fills up within a write: whole lines stay, the rest is counted."""
    path = tmp_path / "log"
    command = [sys.executable, "-c", FULL, path]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = [json.loads(line) for line in path.read_text().splitlines()]
    stay = [each["event"] for each in found].index("lines_lost")
    assert 0 < stay < 5
    assert len(found) == stay + 1 + 5
    assert found[stay]["count"] == 10 - stay
    first, last = told.splitlines()
    assert first.startswith("the audit log cannot be written, its lines are lost: ")
    assert last == f"the audit log is written again, {10 - stay} lines lost"
