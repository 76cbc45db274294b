"""A browser at the dashboard, without a browser: what it sends, and what it gets."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from typing import Any, Self

from harness import START, Place, Proxy


class Watcher:
    """Whoever has opened the dashboard of a proxy by its command."""

    def __init__(self, place: Place, proxy: Proxy, config: object) -> None:
        self.place, self.config = place, str(config)
        told = proxy.process.wait_for(r"dashboard on http://127\.0\.0\.1:(\d+)")
        self.port = int(told[1])
        self.authority = f"127.0.0.1:{self.port}"
        self.cookie = ""

    def link(self) -> str:
        """Have the command print a link, and return its target."""
        done = self.place.everbearer("dashboard", "-c", self.config, "--no-browser")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().removeprefix(f"http://{self.authority}")

    def enter(self) -> Self:
        """Follow a link, and keep the cookie."""
        status, fields, _ = self.ask("GET", self.link())
        assert status == 303
        self.cookie = fields["set-cookie"].partition(";")[0]
        return self

    def ask(
        self,
        method: str,
        target: str,
        body: str | None = None,
        *,
        host: str = "",
        **fields: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request; a field's name has `_` for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START)
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        if self.cookie:
            named["Cookie"] = self.cookie
        try:
            connection.putrequest(method, target, skip_host=True)
            connection.putheader("Host", host or self.authority)
            for name, value in named.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(None if body is None else body.encode())
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read()
        finally:
            connection.close()

    def get(self, target: str, **fields: str) -> Any:
        """Return the JSON of an answer that has to be good."""
        status, _, body = self.ask("GET", target, **fields)
        assert status == 200, body
        return json.loads(body)

    @property
    def state(self) -> dict[str, Any]:
        return self.get("/api/state")

    def profile(self, name: str) -> dict[str, Any]:
        """Return one profile of the state."""
        return next(each for each in self.state["profiles"] if each["name"] == name)

    def wants(self, profile: str, action: str, **changes: str) -> tuple[int, Any]:
        """Send a change as the page does, but for *changes*."""
        fields = {
            "Origin": f"http://{self.authority}",
            "Sec_Fetch_Site": "same-origin",
            "Content_Type": "application/json",
            "Everbearer_Dashboard": "1",
        } | changes
        sent = {name: value for name, value in fields.items() if value}
        target = f"/api/profiles/{profile}/{action}"
        status, _, body = self.ask("POST", target, "{}", **sent)
        return status, body


class Stream:
    """An open stream of events, read in a thread until it ends."""

    def __init__(self, watcher: Watcher) -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", watcher.port, timeout=START
        )
        self._connection.connect()
        self._socket = self._connection.sock
        self._connection.request(
            "GET", "/api/events", headers={"Cookie": watcher.cookie}
        )
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.text = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            while line := self._answer.readline():
                self.text += line.decode()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the stream has said it."""
        end = time.monotonic() + START
        while time.monotonic() < end:
            if found := re.search(pattern, self.text):
                return found
            if not self._thread.is_alive():
                break
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in the stream:\n{self.text[-3000:]}")

    def events(self) -> list[str]:
        """Return the names of the events so far."""
        return re.findall(r"(?m)^event: (\w+)$", self.text)

    @property
    def has_ended(self) -> bool:
        """Whether the server has closed it by now."""
        return not self._thread.is_alive()

    def ended(self) -> bool:
        """Wait until the server has closed it."""
        self._thread.join(START)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Go away."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(START)
        self._connection.close()
