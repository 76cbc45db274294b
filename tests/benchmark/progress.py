"""What is being done at the moment, for whoever sits in front of it."""

import sys


def progress(text: str) -> None:
    """Show it in place of the last one; the empty text shows nothing."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
