"""
A mitmproxy script that does all that a script may do, and tells what it heard.

Its hooks wait, fail, halt others, come and go while it runs; it nests addons, adds
and removes some, stops flows and lets them go on.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from mitmproxy import command, ctx, exceptions, hooks, http

EVENTS = {
    *("requestheaders", "request", "responseheaders", "response", "error", "update"),
    *("server_connect", "server_connected", "http_connect"),
    *("http_connected", "tls_established_client", "tls_start_server"),
    *("websocket_start", "websocket_message", "websocket_end", "configure"),
}


def tell(*what: object) -> None:
    """Print a line at once."""
    sys.stdout.write("busy: " + " ".join(map(str, what)) + "\n")
    sys.stdout.flush()


def about(args: tuple[Any, ...]) -> str:
    """Say which flow it is about, and how far that is."""
    one = args[0] if args else None
    if isinstance(one, list):
        one = one[0]
    if not isinstance(one, http.HTTPFlow):
        return ""
    answer = one.response.status_code if one.response else "-"
    return f"{one.request.method} {one.request.path} {answer}"


class Listener:
    """Hears everything that it is told of."""

    def __init__(self, name: str, *events: str) -> None:
        self.name = name
        for event in events:
            self.hear(event)

    def hear(self, event: str) -> None:
        """Give itself a hook."""

        def hook(*args: Any) -> None:
            tell(self.name, event, about(args))

        setattr(self, event, hook)


class Busy:
    """Does what the path of a request says."""

    def __init__(self) -> None:
        self.addons = [Listener("nested", *EVENTS & set(hooks.all_hooks))]
        self.late = Listener("late")
        self.added: list[Listener] = []

    @command.command("busy.add")
    def add(self, name: str) -> None:
        """Add an addon to mitmproxy."""
        self.added.append(Listener(name, "request", "response", "update"))
        ctx.master.addons.add(self.added[-1])

    @command.command("busy.remove")
    def remove(self) -> None:
        """Remove the last one."""
        ctx.master.addons.remove(self.added.pop())

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Wait before anything leaves."""
        tell("outer requestheaders", about((flow,)))
        await asyncio.sleep(0)
        if "head-fails" in flow.request.path:
            msg = "on the way"
            raise ValueError(msg)

    async def request(self, flow: http.HTTPFlow) -> None:
        """Do what is asked for."""
        tell("outer request", about((flow,)))
        match flow.request.path.rpartition("?")[2]:
            case "fails":
                msg = "now"
                raise ValueError(msg)
            case "halts":
                raise exceptions.AddonHalt
            case "hears":
                self.addons.append(ctx.master.addons.register(self.late))
                self.late.hear("response")
                self.late.hear("update")
            case "adds":
                ctx.master.commands.call("busy.add", "added")
            case "removes":
                ctx.master.commands.call("busy.remove")
            case "waits":
                flow.intercept()
                asyncio.get_running_loop().call_later(0.05, flow.resume)
            case "sets":
                ctx.options.update(showhost=not ctx.options.showhost)
            case "answers":
                flow.response = http.Response.make(203, b"by a script")

    async def response(self, flow: http.HTTPFlow) -> None:
        """Change the answer, after a while."""
        tell("outer response", about((flow,)))
        await asyncio.sleep(0)
        assert flow.response is not None
        flow.response.headers["busy"] = "was here"
        flow.comment = "seen"


def response(flow: http.HTTPFlow) -> None:
    """Hear it as a script without a class does."""
    tell("plain response", about((flow,)))


addons = [Busy()]
