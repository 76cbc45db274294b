"""What a browser is opened with: a page of this user's own that sends it on."""

from __future__ import annotations

from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

import platformdirs

from everbearer.stores.passing import passing_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def page_to(
    url: str, folder: Path | None = None, title: str = "Log in"
) -> Iterator[str]:
    """
    Give the `file:` address of a page that leads to *url*, while the context lasts.

    Command lines can be read by every user of the machine, and whoever knows where
    a login begins may answer it in the person's stead. The page can be read by its
    owner alone (0600 in a 0700 folder). Raises StoreError where the folder is open
    to others.
    """
    folder = folder or platformdirs.user_cache_path("everbearer") / "login"
    with passing_file(folder, "login-", ".html") as path:
        path.write_text(_html(url, title), encoding="utf-8")
        yield path.absolute().as_uri()


def _html(url: str, title: str) -> str:
    """Return a page that is left at once, by hand where a browser does not."""
    address, words = escape(url), escape(title)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="refresh" content="0;url={address}">'
        f"<title>{words} - everbearer</title></head>"
        f'<body><p><a href="{address}">{words}</a></p></body></html>\n'
    )
