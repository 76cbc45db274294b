"""
A mitmproxy script that makes the n-th call inside everbearer's hooks fail.

The client asks for it by fields: `X-Fault: HOOK KIND N`. For hooks that come
before any request the same words are in the environment, as EVERBEARER_FAULT.
What fails is whatever function of everbearer is called n-th from there: a new
one is covered without being named.
"""

import asyncio
import inspect
import os
import sys
from pathlib import Path

import everbearer

# Not by a part of its name: whole environments lie in folders called everbearer.
_OURS = str(Path(everbearer.__file__).parent) + os.sep
_KINDS = {
    "Exception": RuntimeError,
    "CancelledError": asyncio.CancelledError,
    "BaseException": type("Worst", (BaseException,), {}),
}
_GENERATOR = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_HOOKS_OF_OURS = {
    "EverbearerTokens",
    "EverbearerBodies",
    "EverbearerExchanges",
    "EverbearerGuard",
    "EverbearerConnections",
    "EverbearerServers",
    "EverbearerCaptions",
    "EverbearerQuestions",
}


def _calls_hooks(frame):
    """Tell whether `waiting` works for `speed` there, not for a hook."""
    caller = frame.f_back
    return frame.f_code.co_filename.endswith("/everbearer/proxy/waiting.py") and (
        caller is None or "/everbearer/proxy/speed/" in caller.f_code.co_filename
    )


class Fault:
    """Traces calls from the start of one hook to the end of the same."""

    def __init__(self) -> None:
        self.fired = ""
        self.fault_file = Path(os.environ.get("EVERBEARER_FAULT", "/nonexistent"))

    def _arm(self, kind: str, number: int) -> None:
        self.fired, self.kind, self.left = "", _KINDS[kind], number
        self.task = asyncio.current_task()
        self.generators = []
        sys.settrace(self._trace)

    def _trace(self, frame, event, argument):
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(_OURS):
            return
        owner, _, name = code.co_qualname.rpartition(".")
        if (
            "/everbearer/proxy/speed/" in code.co_filename
            or "/everbearer/proxy/pressure.py" in code.co_filename
            or "/everbearer/proxy/joined.py" in code.co_filename
            or name == "wait_for_resume"
            or owner == "Held"
            or _calls_hooks(frame)
            or (owner in _HOOKS_OF_OURS and not name.startswith("_"))
        ):
            # What mitmproxy calls itself, not something called from there; in `speed`
            # and `joined` stands what calls the hooks, and `waiting` does so for
            # `speed`: a fault there ends the task. In `pressure` is what a
            # connection's task does between two reads.
            return
        if asyncio.current_task() is not self.task:
            return  # background work that happens to run meanwhile
        if code.co_flags & _GENERATOR or name == "_go_on":
            # Called once; what Python resumes last is its end, where it ignores
            # whatever is raised, or much later does what belongs to the end. So does
            # `_go_on` with what it awaits, if not that fails but `_go_on` itself.
            if any(frame is known for known in self.generators):
                return
            self.generators.append(frame)
        self.left -= 1
        if self.left == 0:
            sys.settrace(None)
            self.fired = code.co_qualname
            if self.fault_file.exists():
                self.fault_file.write_text(f"fired {self.fired}")
            raise self.kind(f"injected into {self.fired}")

    def _by_file(self, hook: str) -> None:
        try:
            words = self.fault_file.read_text().split()
        except OSError:
            return
        if words and words[0] == hook:
            self._arm(words[1], int(words[2]))

    def requestheaders(self, flow):
        words = flow.request.headers.pop("x-fault", "").split()
        if words and words[0] == "requestheaders":
            self._arm(words[1], int(words[2]))
        else:
            flow.metadata["fault"] = words

    def request(self, flow):
        words = flow.metadata.get("fault")
        if words and words[0] == "request":
            self._arm(words[1], int(words[2]))

    def responseheaders(self, flow):
        sys.settrace(None)
        flow.response.headers["x-fault-fired"] = self.fired or "none"

    def client_connected(self, client):
        self._by_file("client_connected")

    def next_layer(self, nextlayer):
        self._by_file("next_layer")

    def server_connect(self, data):
        self._by_file("server_connect")

    def server_connected(self, data):
        self._by_file("server_connected")

    def http_connect(self, flow):
        self._by_file("http_connect")

    def tls_start_server(self, data):
        self._by_file("tls_start_server")

    def server_connect_error(self, data):
        self._by_file("server_connect_error")

    def response(self, flow):
        if not flow.is_replay:
            self._by_file("response")

    def error(self, flow):
        self._by_file("error")


addons = [Fault()]
