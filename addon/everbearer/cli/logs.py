"""Python's logging in our voice, without what others chat."""

from __future__ import annotations

import logging
from typing import Final, override

from everbearer.cli import voice

_CHATTY: Final = ("asyncio", "hpack", "h2", "httpcore", "httpx", "keyring")
_CHATTY_TOO: Final = ("filelock", "quic", "tornado", "urllib3", "urwid")
"""Libraries that log every step; hpack even every field, with its value."""

_ANNOUNCES: Final = "mitmproxy.tools.web.master"
"""Tells where mitmweb is, at INFO: nobody could find it otherwise."""


class _Terminal(logging.Handler):
    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._traces = level < logging.WARNING

    @override
    def emit(self, record: logging.LogRecord) -> None:
        text = _in_our_manners(record.getMessage())
        if record.levelno < logging.WARNING:
            voice.say(text)
        elif record.levelno < logging.ERROR:
            voice.warn(text)
        else:
            voice.error(text, "" if self._traces else "with -v it is told in detail")
        if record.exc_info and self._traces:
            for line in (
                logging.Formatter().formatException(record.exc_info).split("\n")
            ):
                voice.say(line)


class _Announcement(_Terminal):
    """Lets through what is below the terminal's level and has to be seen."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.name == _ANNOUNCES and record.levelno == logging.INFO


def configure(verbosity: int, ui: str) -> None:
    """
    Set logging up: warnings, with *verbosity* 1 information, with 2 everything.

    mitmproxy's own interfaces show everything themselves; the console's has
    the terminal for itself.
    """
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG)
    root = logging.getLogger()
    root.setLevel(level if ui == "dump" else logging.DEBUG)
    for name in _CHATTY + _CHATTY_TOO:
        logging.getLogger(name).setLevel(logging.WARNING)
    if ui == "console":
        return
    root.addHandler(_Terminal(level))
    if ui == "web" and level > logging.INFO:
        root.addHandler(_Announcement(logging.INFO))


def _in_our_manners(text: str) -> str:
    """Return the text without a capitalised initial and a period at the end."""
    acronym = text[:2].isupper()
    return (text if acronym else text[:1].lower() + text[1:]).removesuffix(".")
