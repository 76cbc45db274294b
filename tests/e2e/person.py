"""A person who logs in: the browser that everbearer opens, and what is done in it."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

import httpx

from harness import Place, Process, Sandbox

LOOK = 30.0
"""Seconds that a browser is waited for."""


class Person:
    """Runs `everbearer login` and sits at the browser that it opens."""

    def __init__(self, place: Place, sandbox: Sandbox) -> None:
        self.place, self.sandbox = place, sandbox
        self.web = httpx.Client(verify=False, timeout=LOOK, trust_env=False)

    def types(self, *arguments: str, config: Path | None = None) -> Process:
        """Start the command, with a "browser" that only tells where it was sent."""
        config = config or self.sandbox.state / "login.toml"
        browser = self.place.root / "browser"
        browser.write_text('#!/bin/sh\necho "BROWSER $1"\n')
        browser.chmod(0o700)
        return self.place.run(
            *[sys.executable, "-m", "everbearer"],
            *["login", "-c", str(config), *arguments],
            BROWSER=str(browser),
        )

    def opened(self, login: Process) -> str:
        """Return the address that the browser was opened with."""
        return login.wait_for(r"BROWSER (\S+)", LOOK)[1]

    def decides(self, begin: str, decision: str = "grant") -> str:
        """Follow the address to the consent page and decide; return where it leads."""
        if begin.startswith("file:"):
            begin = self.read(begin)
        page = self.web.get(begin, follow_redirects=True)
        fields = dict(
            re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
        )
        form = {name: unescape(value) for name, value in fields.items()}
        target = urljoin(str(page.url), "/api/oauth2/authorize")
        decided = self.web.post(target, data=form | {"decision": decision})
        assert decided.status_code == 302, decided.text
        return decided.headers["location"]

    def read(self, begin: str) -> str:
        """Return where the page that the browser was opened with leads."""
        text = Path(url2pathname(urlsplit(begin).path)).read_text()
        return unescape(
            re.search('http-equiv="refresh" content="0;url=([^"]*)"', text)[1]
        )

    def returns(self, address: str) -> httpx.Response:
        """Let the browser come back, and read the page on which it ends."""
        return self.web.get(address, follow_redirects=True)


def typed(place: Place, *arguments: str) -> subprocess.Popen[str]:
    """Start a command that can be typed to, both outputs apart."""
    (place.root / "home").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "everbearer", *arguments],
        env=place.env,
        cwd=place.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
