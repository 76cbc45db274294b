"""Comments of flows, as they are however busy the machine is."""

import re


def timeless(comment: str) -> str:
    """Return the comment without the minutes that a token still lives."""
    return re.sub(r"\b\d+ min", "N min", comment)
