"""
How the answer of a login comes back.

To a listener on this machine, or pasted by the person, or whichever is first.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import webbrowser
from contextlib import ExitStack, suppress
from threading import Thread
from typing import TYPE_CHECKING, Final

from everbearer.cli import voice
from everbearer.errors import ConfigError, ReauthorizationRequired
from everbearer.login.listener import DEFAULT_REDIRECT, Listener
from everbearer.login.opening import page_to
from everbearer.oauth.authorization import LOOPBACK_REDIRECT, Code, Denied, Login, Stray
from everbearer.secret import Secret
from everbearer.spans import duration
from everbearer.tasks import Tasks

if TYPE_CHECKING:
    from everbearer.login.page import Page
    from everbearer.settings.model import Profile

PATIENCE: Final = 600.0
"""Seconds for which the answer is waited for."""


def has_browser() -> bool:
    """
    Tell whether opening a browser makes sense.

    On a server there is none, or one in the terminal, which would take it over.
    """
    if os.environ.get("BROWSER") or sys.platform == "darwin":
        return True
    if os.environ.get("SSH_CONNECTION"):
        return False
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class Way:
    """
    One login on its way through a browser, which is opened or (`shows`) asked for.

    `login` is what was asked. To be used by one event loop.
    """

    def __init__(self, profile: Profile, *, shows: bool) -> None:
        assert profile.grant is not None
        configured = profile.endpoints.redirect_uri
        self._hint = f"run: everbearer login {profile.name}"
        self._tasks = Tasks()
        self._pastes = shows
        self._registered = configured or LOOPBACK_REDIRECT
        self._listener: Listener | None = None
        if not configured.startswith("https:"):
            self._listener = self._listening(configured or DEFAULT_REDIRECT)
        self.login = Login(
            client_id=profile.grant.client_id,
            authorize_url=profile.endpoints.authorize_url,
            redirect_uri=self._listener.redirect_uri if self._listener else configured,
            state=Secret(secrets.token_urlsafe(32)),
            verifier=Secret(secrets.token_urlsafe(64)),
        )

    async def answer(self) -> Code | Denied:
        """
        Return what comes first.

        Raises ReauthorizationRequired where nothing does, StoreError where a
        browser cannot be sent off in private.
        """
        with ExitStack() as opened:
            if self._listener is not None:
                self._listener.start(self.login, _warn)
            self._send_off(opened)
            return await self._first()

    async def _first(self) -> Code | Denied:
        waiting: list[asyncio.Task[Code | Denied | None]] = []
        if self._listener is not None:
            waiting.append(self._tasks.spawn(self._listener.answer(), name="browser"))
        if self._pastes:
            waiting.append(self._tasks.spawn(self._pasted(), name="pasted"))
        try:
            done, _ = await asyncio.wait(
                waiting, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in waiting:
                task.cancel()
        answer = next((task.result() for task in done), None)
        if answer is None:
            why = (
                "no address was pasted"
                if done
                else f"no answer came within {duration(PATIENCE)}"
            )
            raise ReauthorizationRequired(why, hint=self._hint)
        return answer

    def conclude(self, page: Page) -> None:
        """Say in the browser what came of it."""
        if self._listener is not None:
            self._listener.conclude(page)

    async def stop(self) -> None:
        """Let go of the port; the browser has its last page first."""
        if self._listener is not None:
            await self._listener.stop()

    def _listening(self, redirect_uri: str) -> Listener | None:
        try:
            return Listener(redirect_uri)
        except ConfigError as error:
            if not self._pastes:
                raise
            voice.warn(error.problems[0].message)
            return None

    def _send_off(self, opened: ExitStack) -> None:
        """Open the browser with a page that is there until *opened* is closed."""
        voice.say(f"the application's redirect URIs must have {self._registered}")
        if self._listener is not None and not self._pastes:
            voice.say("opening the browser: log in and grant access there")
            if webbrowser.open(opened.enter_context(page_to(self.login.url()))):
                return
            voice.warn("no browser could be opened")
        self._pastes = True
        voice.say("open this address in a browser, log in and grant access:")
        voice.result(self.login.url())
        where = "if it is on another machine, " if self._listener is not None else ""
        voice.say(f"{where}paste the address at which the browser ends:")

    async def _pasted(self) -> Code | Denied | None:
        """Return what a pasted address holds; None at the end of all input."""
        lines: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def read() -> None:
            # A thread, since input may be a file or a terminal; and one that the
            # end of the program does not wait for.
            with suppress(RuntimeError):  # the loop has ended
                for line in sys.stdin or ():
                    loop.call_soon_threadsafe(lines.put_nowait, line)
                loop.call_soon_threadsafe(lines.put_nowait, "")

        Thread(target=read, daemon=True).start()
        while line := await lines.get():
            if not line.strip():
                continue
            found = self.login.returned(line)
            if not isinstance(found, Stray):
                return found
            _warn(found.why)
        return await self._listener.answer() if self._listener else None


def _warn(why: str) -> None:
    voice.warn(f"this is not the answer to the login, still waiting: {why}")
