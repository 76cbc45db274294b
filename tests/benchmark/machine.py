"""What was measured on, and what with."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import re
import ssl
from pathlib import Path

from benchmark import nginx

BUSY = 0.5
"""Processes that ran on average before; from here on figures are of a busy machine."""


def told() -> dict[str, str]:
    """Return the date, the machine and every version that matters."""
    load = os.getloadavg()[0]
    busy = ": BUSY, compare only within a round" if load > BUSY else ""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("everbearer", "mitmproxy", "cryptography")
    )
    return {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.platform()}",
        "load before": f"{load:.1f}{busy}",
        "versions": f"{versions}, Python {platform.python_version()}, "
        f"{ssl.OPENSSL_VERSION}",
        "resource server": _server(),
    }


def _server() -> str:
    version = nginx.version()
    if version is None:
        return "a small one in Python (nginx is not installed), one process, TLS"
    return f"nginx {version}, one worker, TLS"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()
