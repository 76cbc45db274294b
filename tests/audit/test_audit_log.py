"""Each event is one line, and what cannot be written is told and counted."""

from __future__ import annotations

import dataclasses
import json
from typing import get_args

import pytest

from everbearer import events
from everbearer.audit.line_file import LineFile
from everbearer.audit.lines import SCHEMA, line_of
from everbearer.audit.log import AuditLog
from everbearer.events import Exchanged, RenewalFailed

AT = 1_793_000_000.25


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


def test_lost_lines_are_told_once_and_counted_in_the_file(tmp_path):
    """A folder that cannot be written: one word when it begins, one when it ends."""
    told: list[str] = []
    path = tmp_path / "folder" / "log"
    path.parent.write_text("in the way")
    log = AuditLog(LineFile(path, 1000, 1), told.append)
    for _ in range(3):
        log(exchanged())
    path.parent.unlink()
    log(exchanged())
    log(exchanged())
    assert told == [
        "the audit log cannot be written, its lines are lost: not a directory",
        "the audit log is written again, 3 lines lost",
    ]
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [each["event"] for each in found] == ["lines_lost", "request", "request"]
    assert found[0]["count"] == 3
