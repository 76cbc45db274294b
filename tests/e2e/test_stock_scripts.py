"""Other people's scripts in a stock mitmproxy that everbearer makes faster."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from harness import Place, Sandbox, Stock

HERE = Path(__file__).parent
INJECT = HERE.parents[1] / "addon" / "inject.py"
ME = "https://api.box.com/2.0/users/me"
DOINGS = (
    *("hears", "fails", "halts", "adds", "waits", "sets", "removes", "answers"),
    *("head-fails", "again"),
)
LOADED = r"busy: loaded"


class Run:
    """What a client and a script saw, with mitmproxy as it is or faster."""

    def __init__(
        self, place: Place, sandbox: Sandbox, *, fast: bool, first: bool
    ) -> None:
        sandbox.forget()
        self.script = place.root / f"busy_{fast}.py"
        self.script.write_text(HERE.joinpath("busy_script.py").read_text())
        scripts = [self.script, INJECT] if first else [INJECT, self.script]
        if not fast:
            scripts.insert(0, HERE / "as_mitmproxy_script.py")
        arguments = [each for path in scripts[1:] for each in ("-s", str(path))]
        self.stock = Stock(
            place,
            sandbox.state / "client_credentials.toml",
            *arguments,
            script=scripts[0],
            PYTHONPATH=str(INJECT.parent),
        ).ready()
        self.answers = [self.ask(f"?{doing}") for doing in DOINGS]
        self.answers.append(self.ask("?body", "-d", "x" * 100_000))
        self.reload()
        self.answers.append(self.ask("?reloaded"))
        sandbox.revoke()
        self.answers.append(self.ask("?revoked"))
        self.sent = [
            (each["method"], each["status"])
            for each in sandbox.requests(path="/2.0/users/me")
        ]
        assert self.stock.process.stop() == 0
        output = self.stock.process.output
        # Tokens are asked for when one is due, which the second run finds stored.
        self.heard = re.findall(r"busy: (?!.*/oauth2/token)(.*)", output)
        self.errors = re.findall(r"(?:Addon error: |Error: ).*", output)
        self.slow = "this one runs as it is" in output
        assert "never awaited" not in output

    def ask(self, query: str, *arguments: str) -> tuple[int, int]:
        """Ask for what the script is to do; return the status and the length."""
        answer = self.stock.curl(*arguments, ME + query)
        return answer.status, len(answer.body)

    def reload(self) -> None:
        """Have mitmproxy load the script anew."""
        told = '\ntell("loaded")\n'
        self.script.write_text(self.script.read_text() + told)
        os.utime(self.script, (time.time() + 5, time.time() + 5))
        self.stock.process.wait_for(LOADED)


@pytest.mark.parametrize("first", [True, False], ids=["before ours", "after ours"])
def test_a_script_hears_what_it_hears_of_mitmproxy(
    place: Place, sandbox: Sandbox, first: bool
):
    """Every hook in its order, every answer, every error: as without our haste."""
    fast = Run(place, sandbox, fast=True, first=first)
    slow = Run(place, sandbox, fast=False, first=first)

    assert (slow.slow, fast.slow) == (True, False)
    assert fast.heard == slow.heard
    assert fast.errors == slow.errors
    assert fast.answers == slow.answers
    assert fast.sent == slow.sent
    assert [status for _, status in fast.sent].count(401) == 1  # the revoked one
    assert any(line.startswith("late response") for line in fast.heard)
    assert any(line.startswith("added request") for line in fast.heard)
    assert any("on the way" in line for line in fast.errors)
