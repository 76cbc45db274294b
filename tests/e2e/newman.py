"""Newman, as people run it: an environment of ours, a proxy and its CA."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from harness import Place, Proxy
from needs import need

COLLECTIONS = Path(__file__).with_name("postman")
PART = 8 * 1024 * 1024
WHOLE = 20_000_000


@dataclass
class Run:
    """What a run of Newman came to."""

    report: dict[str, Any]
    output: str

    def count(self, what: str) -> int:
        """Return how many there were, of "requests", "assertions" and so on."""
        return self.report["stats"][what]["total"]

    @property
    def failures(self) -> list[str]:
        """Return what failed: a request, an assertion or a script."""
        return [
            f"{each['source'].get('name')}: {each['error']['message']}"
            for each in self.report["failures"]
        ]


def newman(
    place: Place,
    proxy: Proxy,
    collection: str,
    *arguments: str,
    ca: str = "NODE_EXTRA_CA_CERTS",
    **variables: str,
) -> Run:
    """
    Run a collection of ours by the proxy, in the environment that everbearer wrote.

    *variables* are the environment's beside those; files are looked for in the
    place's folder. *ca* is what names the proxy's CA: an option or a variable.
    """
    environment, report = place.root / "environment.json", place.root / "report.json"
    if not environment.exists():
        made = place.everbearer("export", "postman", "-o", str(environment))
        assert made.returncode == 0, made.stderr
    command = [need("node"), need("newman"), "run"]
    command.append(str(COLLECTIONS / f"{collection}.postman_collection.json"))
    command += ["--environment", str(environment), "--working-dir", str(place.root)]
    command += ["--reporters", "cli,json", "--reporter-json-export", str(report)]
    for name, value in variables.items():
        command += ["--env-var", f"{name}={value}"]
    if ca.startswith("--"):
        command += [ca, str(proxy.ca)]
    done = subprocess.run(
        [*command, *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(place.root / "home"),
            "HTTP_PROXY": proxy.url,
            "HTTPS_PROXY": proxy.url,
            # The sandbox's control API is no part of Box.
            "NO_PROXY": "127.0.0.1",
        }
        | ({ca: str(proxy.ca)} if ca.isupper() else {}),
        cwd=place.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    output = done.stdout + done.stderr
    assert report.exists(), output
    return Run(json.loads(report.read_text())["run"], output)


def files_for_uploads(folder: Path) -> dict[str, str]:
    """Write two versions of a file; return what a collection knows of them."""
    known = {}
    for version in (1, 2):
        content = Random(version).randbytes(1000 * version)
        (folder / f"version-{version}.bin").write_bytes(content)
        known[f"version_{version}_sha1"] = hashlib.sha1(content).hexdigest()
    return known


def files_for_chunks(folder: Path) -> dict[str, str]:
    """Write the parts of a file; return what a collection knows of them."""
    whole = Random(0).randbytes(WHOLE)
    known = {
        "whole_size": str(WHOLE),
        "whole_sha1": hashlib.sha1(whole).hexdigest(),
        "whole_digest": digest(whole),
    }
    for number, start in enumerate(range(0, WHOLE, PART), 1):
        part = whole[start : start + PART]
        (folder / f"part-{number}.bin").write_bytes(part)
        known[f"part_{number}_offset"] = str(start)
        known[f"part_{number}_range"] = f"bytes {start}-{start + len(part) - 1}/{WHOLE}"
        known[f"part_{number}_digest"] = digest(part)
    return known


def digest(content: bytes) -> str:
    """Return what stands behind `sha=` in the field Digest."""
    return base64.b64encode(hashlib.sha1(content).digest()).decode()
