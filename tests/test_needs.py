"""The helper that skips or fails where a program is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from needs import need, need_proc

MISSING = "no-such-program"


def test_a_program_that_is_there_is_found(monkeypatch):
    """Required or not, what is installed is found."""
    monkeypatch.setenv("EVERBEARER_REQUIRE", "sh")
    assert need("sh").endswith("/sh")


@pytest.mark.parametrize("folder", [".", "bruno"])
def test_a_program_of_node_is_found_where_npm_put_it(tmp_path, monkeypatch, folder):
    """What `npm ci` installed in $EVERBEARER_TEST_NODE need not be on PATH."""
    program = tmp_path / folder / "node_modules" / ".bin" / MISSING
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setenv("EVERBEARER_REQUIRE", MISSING)
    monkeypatch.setenv("EVERBEARER_TEST_NODE", str(tmp_path))
    assert need(MISSING) == str(program)


@pytest.mark.parametrize("required", ["", "curl", "no-such-program-either,curl"])
def test_what_is_missing_skips(required, monkeypatch):
    """Where nobody requires it, the reason names what is missing."""
    monkeypatch.setenv("EVERBEARER_REQUIRE", required)
    with pytest.raises(pytest.skip.Exception, match=MISSING):
        need(MISSING)


@pytest.mark.parametrize("required", [MISSING, f"curl,{MISSING}"])
def test_what_is_required_and_missing_fails(required, monkeypatch):
    """Where it is required, its absence is a failure and not a skip."""
    monkeypatch.setenv("EVERBEARER_REQUIRE", required)
    with pytest.raises(pytest.fail.Exception, match=MISSING):
        need(MISSING)


def test_where_there_is_no_proc_tests_of_it_are_skipped(tmp_path, monkeypatch):
    """On macOS the reason says so; where /proc is required, that is a failure."""
    assert need_proc(tmp_path) == tmp_path
    missing = Path("/no-such-proc/1/fd")
    monkeypatch.setenv("EVERBEARER_REQUIRE", "")
    with pytest.raises(pytest.skip.Exception, match="no Linux"):
        need_proc(missing)
    monkeypatch.setenv("EVERBEARER_REQUIRE", "proc")
    with pytest.raises(pytest.fail.Exception, match="no Linux"):
        need_proc(missing)
