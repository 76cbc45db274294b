"""The dashboard's page in a real browser, at a server that tells what a test wants."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

import canned
from browsing import chromium, opened
from stand_in import StandIn


@dataclass
class Visit:
    """A page that is open, and the server at which it is."""

    page: Page
    server: StandIn
    now: float
    complaints: list[str]

    def card(self, name: str) -> Locator:
        """Return the card of that profile."""
        return self.page.get_by_role("article", name=name, exact=True)

    def row(self, text: str) -> Locator:
        """Return the rows of requests that hold that text."""
        return self.page.locator("tbody tr").filter(has_text=text)


@pytest.fixture(scope="module")
def browser(real: None) -> Iterator[Browser]:
    """Start one browser for a module."""
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open the page at a server with that document; it must complain of nothing."""
    stack = ExitStack()
    visits: list[Visit] = []

    def go(
        document: Callable[[float], dict[str, Any]] = canned.document, **wanted: Any
    ) -> Visit:
        now = time.time()
        server = StandIn(document(now))
        stack.callback(server.close)
        page, complaints = stack.enter_context(opened(browser, **wanted))
        page.goto(server.url)
        page.get_by_text("live", exact=True).wait_for()
        visits.append(Visit(page, server, now, complaints))
        return visits[-1]

    with stack:
        yield go
    assert [each.complaints for each in visits if each.complaints] == []
