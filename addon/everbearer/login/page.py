"""The pages on which the browser ends."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;"
    "padding:0 1.5rem}"
    "h1{font-size:1.4rem}h1::before{content:'';display:inline-block;width:.7em;"
    "height:.7em;border-radius:50%;margin-right:.5em;background:#c62828}"
    "body.good h1::before{background:#2e7d32}"
)


@dataclass(frozen=True, slots=True)
class Page:
    """What a person reads; `good` where there is nothing left to do."""

    title: str
    text: str
    good: bool = False
    status: int = 200

    def html(self) -> str:
        """Return the document; nothing in it is loaded or run."""
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)} - everbearer</title>"
            f"<style>{_STYLE}</style></head>"
            f'<body class="{"good" if self.good else "bad"}"><main>'
            f"<h1>{escape(self.title)}</h1><p>{escape(self.text)}</p>"
            "</main></body></html>"
        )


FIELDS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    # The address of the page that asks has a code in it.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}
"""Sent with every page."""

NOT_HERE: Final = Page("Nothing here", "This address is not in use.", status=404)
WAITING: Final = Page(
    "Still waiting",
    "everbearer waits for the answer to a login, and this is not it. Go on in the"
    " page where you log in.",
    status=400,
)
USED: Final = Page(
    "This login has been answered",
    "The answer is taken once. You can close this page; the terminal says what came"
    " of it.",
    status=409,
)
