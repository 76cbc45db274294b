"""A real browser at a page: Debian's chromium, and what it has to complain about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from needs import need, need_module

PATIENCE = 20_000
"""Milliseconds that something may take to be seen on a busy machine."""

expect.set_options(timeout=PATIENCE)

SERIOUS = frozenset({"serious", "critical"})
"""Of axe-core's words for how bad something is."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; one for many tests, each with a context of its own."""
    program = need("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, **wanted: Any) -> Iterator[tuple[Page, list[str]]]:
    """Open an empty page in a context of its own, and the list of its complaints."""
    context = browser.new_context(
        **{"viewport": {"width": 1280, "height": 900}} | wanted
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type in {"error", "warning"}
            else None
        ),
    )
    yield page, complaints
    context.close()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds serious in the page as it stands."""
    source = need_module("axe-core") / "axe-core" / "axe.min.js"
    page.evaluate(f"{source.read_text()};0")
    found = page.evaluate("axe.run().then((result) => result.violations)")
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


def kept(page: Page, name: str, folder: Path) -> Path:
    """
    Keep a picture of the page as NAME.png, and return where it lies.

    In $EVERBEARER_ARTEFACTS, if that is set, else in *folder*.
    """
    where = Path(os.environ.get("EVERBEARER_ARTEFACTS") or folder)
    where.mkdir(parents=True, exist_ok=True)
    path = where / f"{name}.png"
    page.screenshot(path=path)
    return path
