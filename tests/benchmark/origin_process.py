"""The resource server of our own as a process that can be told what to do."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.lines import trusting

if TYPE_CHECKING:
    from benchmark.stage import Stage


class Origin:
    """The resource server of our own, which can be told what to do."""

    def __init__(self, stage: Stage, *arguments: str) -> None:
        self.process = stage.run(
            *(sys.executable, "-m", "benchmark.origin"),
            *("--pem", str(stage.trust.server_pem)),
            *arguments,
            PYTHONPATH=str(Path(__file__).parents[1]),
        )
        self.port = int(self.process.wait_for(r"ready on 127\.0\.0\.1:(\d+)")[1])
        self._trust = trusting(stage.trust.authority)

    def tell(self, what: str) -> dict[str, Any]:
        """Ask for "revoke", "release" or only "counts"; return its counts."""
        url = f"https://localhost:{self.port}/bench/{what}"
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=self._trust),
        )
        with opener.open(url, timeout=60) as answer:
            return json.load(answer)
