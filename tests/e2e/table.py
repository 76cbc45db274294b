"""A tool that is run as its recipe says, by a proxy whose token is dead at first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from everbearer.clients.recipes import PLACEHOLDER
from harness import Place, Proxy, Sandbox
from needs import lack
from running import Exec

WAYS = ("exec", "by hand")
"""`everbearer exec -- COMMAND`, and what `everbearer env --for TOOL` prints."""


class Table:
    """A sandbox with one profile, and one of the two ways to reach it."""

    def __init__(self, place: Place, sandbox: Sandbox, port: int, way: str) -> None:
        self.place = place
        self.sandbox = sandbox
        self.way = way
        listener = f'[proxy]\nca = "own"\n[[listeners]]\naddress = "127.0.0.1:{port}"\n'
        self.config = sandbox.config("table", listener, "refresh_token")
        had = place.everbearer("token", "-c", str(self.config))
        assert had.returncode == 0, had.stderr
        assert sandbox.revoke(profile="dev")
        if way == "by hand":
            Proxy(place, self.config, listen="")

    def line(self, tool: str, plain: str) -> str:
        """Return what a shell is to be told: *plain*, or the tool's recipe."""
        if self.way == "exec":
            return plain.format(placeholder=PLACEHOLDER)
        printed = self.place.everbearer("env", "-c", str(self.config), "--for", tool)
        assert printed.returncode == 0, printed.stderr
        return printed.stdout

    def run(self, script: str, **env: str) -> str:
        """Have a shell run it; return what it printed, if it ended well."""
        command = ["sh", "-ec", script]
        if self.way == "exec":
            command = Exec(self.place, self.config).line(*command)
        done = subprocess.run(
            command,
            env=self.place.env | {"PATH": path_of_tools()} | env,
            cwd=self.place.root,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        return done.stdout

    def met_a_dead_token(self) -> bool:
        """Tell whether a 401 was healed by the one renewal that there was."""
        renewals = [entry["status"] for entry in self.sandbox.token_requests()]
        return bool(self.sandbox.requests(status=401)) and renewals == [200, 200]


def need_httpie() -> None:
    """Skip, or fail, where HTTPie is not installed beside this Python."""
    if not Path(sys.executable).with_name("https").exists():
        lack("httpie", "HTTPie is not installed beside this Python")


def path_of_tools() -> str:
    """Return PATH, with the folder of this Python's own programs before it."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
