"""How everbearer speaks."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.cli import voice


def test_results_are_bare_and_everything_else_is_prefixed(capsys):
    """Results are alone on standard output; the rest has the prefix, on the other."""
    voice.result("a result")
    voice.say("a word")
    voice.warn("a warning")
    voice.error("two\nlines", "what to do")
    captured = capsys.readouterr()
    assert captured.out == "a result\n"
    assert captured.err.splitlines() == [
        "everbearer: a word",
        "everbearer: warning: a warning",
        "everbearer: error: two",
        "everbearer: error: lines",
        "everbearer: hint: what to do",
    ]


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError])
def test_nobody_to_tell_is_no_error(error, monkeypatch):
    """What cannot be told is dropped; a result that cannot be printed is an error."""

    class Dead(io.StringIO):
        def write(self, _: str) -> int:
            raise error

    monkeypatch.setattr("sys.stderr", Dead())
    monkeypatch.setattr("sys.stdout", Dead())
    voice.error("a word", "what to do")
    with pytest.raises(error):
        voice.result("a result")


@given(st.text())
def test_nothing_that_a_terminal_obeys_gets_through(text):
    """Whatever a client chose, only printable characters reach the terminal."""
    assert voice.printable(text).isprintable()


def test_an_escape_sequence_is_shown_and_not_obeyed(capsys):
    """An escape sequence in a path does not colour, move or title anything."""
    voice.say("GET /\x1b]0;gotcha\x07")
    assert "\x1b" not in capsys.readouterr().err


def test_no_color_is_respected(monkeypatch):
    """NO_COLOR turns colours off; set to nothing it does not (no-color.org)."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert voice.coloured() is False
    monkeypatch.setenv("NO_COLOR", "")
    assert voice.coloured() is None
