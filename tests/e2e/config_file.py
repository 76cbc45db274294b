"""Configuration files of the tests' own, and what commands say of them."""

from __future__ import annotations

import re
from pathlib import Path


def private(path: Path, content: str) -> Path:
    """Write a file that nobody else can read."""
    path.write_text(content)
    path.chmod(0o600)
    return path


def errors_of(text: str) -> list[str]:
    """Return the lines that tell of errors, without what stands before them."""
    return re.findall(r"^everbearer: error: (.*)$", text, re.MULTILINE)


def unnamed(text: str) -> str:
    """Return the text with its commands as they are without `-c FILE`."""
    return re.sub(r" -c (?:'[^']*'|[^\s)\"';,]+)", "", text)
