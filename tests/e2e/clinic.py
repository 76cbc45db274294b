"""Set-ups for `everbearer doctor`, and the doctor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from harness import Place, Sandbox
from ports import unused_port


@dataclass
class Clinic:
    """A sandbox's configuration with a listener of its own, and the doctor."""

    place: Place
    sandbox: Sandbox
    port: int
    config: Path

    @classmethod
    def of(cls, place: Place, sandbox: Sandbox) -> Self:
        """Return a set-up in which nothing is wrong."""
        port = unused_port()
        listener = f'\n[[listeners]]\naddress = "127.0.0.1:{port}"\n'
        return cls(place, sandbox, port, sandbox.config("mine", listener))

    def ask(self, *arguments: str, **env: str) -> dict[str, Any]:
        """Return what --json says; the exit code is the one that it tells."""
        done = self.place.everbearer(
            "doctor", "-c", str(self.config), "--json", *arguments, **env
        )
        told = json.loads(done.stdout)
        assert done.returncode == told["exit_code"], done.stderr
        return told

    def line(self, what: str, *arguments: str, **env: str) -> dict[str, Any]:
        """Return the first result of that name that is no good, else the first."""
        told = self.ask(*arguments, **env)
        found = [r for r in told["results"] if r["what"] == what]
        bad = [r for r in found if r["level"] in {"fail", "warn"}]
        return (bad or found)[0] | {"code": told["exit_code"]}

    def mend(self, fix: str) -> None:
        """Do what a `run: …` says, in a shell of the place's."""
        command = fix.partition("run: ")[2]
        assert command, fix
        self.shell(command)

    def shell(self, command: str) -> str:
        """Return what a shell prints that finds the place's programs first."""
        (self.place.root / "home").mkdir(exist_ok=True)
        path = f"{self.place.root / 'bin'}{os.pathsep}{self.place.env['PATH']}"
        more = {"PATH": path, "EVERBEARER_CONFIG": str(self.config)}
        return subprocess.run(
            ["bash", "-ec", command],
            env=self.place.env | more,
            cwd=self.place.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def variables(self, command: str) -> dict[str, str]:
        """Return the environment that *command* leaves in a shell."""
        lines = self.shell(f"{command}; env -0").split("\0")
        return dict(line.split("=", 1) for line in lines if line)

    def make_ca(self) -> Path:
        """Start the proxy with the user's own folder of mitmproxy, and stop it."""
        serve = (sys.executable, "-m", "everbearer", "serve", "-c", str(self.config))
        process = self.place.run(*serve, "--listen", "127.0.0.1:0")
        process.wait_for("as a proxy")
        process.stop()
        return self.place.root / "home" / ".mitmproxy"
