"""What the dashboard answers with: a status, a body, and the fields of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

FIELDS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # What is older than frame-ancestors knows this.
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    # Another port of this machine is the same site, and yet somebody else's.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
"""Sent with every answer, whatever it is."""

HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whole."""

    status: int
    kind: str
    body: bytes


def as_json(value: Any, status: int = 200) -> Answer:
    """Return *value* as JSON."""
    return Answer(status, JSON, written(value).encode())


def written(value: Any) -> str:
    """
    Return the JSON of *value*, which UTF-8 has whatever clients sent.

    A number that JSON lacks is a mistake of ours.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A path of bytes that are no text has half a surrogate for each: as an escape.
    return text.encode("utf-8", "backslashreplace").decode()


def page(title: str, text: str, status: int, head: str = "") -> Answer:
    """Return a page of a title and a sentence, both ours; *head* is more for it."""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{head}<title>{title} - everbearer</title></head>"
        f"<body><main><h1>{title}</h1><p>{text}</p></main></body></html>\n"
    )
    return Answer(status, HTML, html.encode())


NO_SESSION: Final = page(
    "This browser has not been let in",
    "Run <code>everbearer dashboard</code>: it opens this page with a link that is"
    " good once.",
    403,
)

USED: Final = page(
    "This link is not good any more",
    "It is good once, and for a minute. Run <code>everbearer dashboard</code> for"
    " another one.",
    403,
)

ENTERED: Final = page(
    "You are let in",
    '<a href="/">Go on</a>',
    200,
    # Followed by the page itself: where something else led here, a browser would
    # not send the new cookie along with a redirect (SameSite=Strict).
    '<meta http-equiv="refresh" content="0;url=/">',
)
