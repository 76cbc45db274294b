"""Those who are measured against each other with the same server and token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmark import nginx
from benchmark.lines import Way, trusting
from benchmark.programs import (
    ANEW,
    CONNECT,
    HERE,
    REVERSE,
    WORKERS,
    Contestant,
    Launch,
    Missing,
    addon,
    mitmdump,
    script,
    serve,
    sproxy,
)
from benchmark.stage import Server, Stage


def everyone(stage: Stage, server: Server) -> Iterator[Contestant | Missing]:
    """Start each; the one to compare with comes first."""
    for each in (
        bare(stage, server),
        script(stage, server),
        addon(stage, server.port),
        # Without its line for each request, as mitmdump is.
        serve(stage, server.port, "-q"),
        serve(stage, server.port),
        _workers(stage, server),
        sproxy(stage, server),
    ):
        yield each if isinstance(each, Missing) else each.start(stage)
    yield _limit(stage, server)


def bare(stage: Stage, server: Server, *arguments: str) -> Launch:
    """Return what injects nothing: the client sends the token itself."""
    fields = f"Authorization: Bearer {server.token}\r\n"
    return replace(mitmdump(stage, server.port, *arguments), fields=fields)


def _workers(stage: Stage, server: Server) -> Launch | Missing:
    told = stage.everbearer("serve", "--help")
    if "--workers" not in told.stdout:
        return Missing(WORKERS, "it has no such option")
    return serve(stage, server.port, "-q", "--workers", "2")


def _limit(stage: Stage, server: Server) -> Contestant | Missing:
    """Start what shows how far away mitmproxy is from C."""
    name = "nginx, static header (no CONNECT)"
    if nginx.program() is None:
        return Missing(name, "not installed (apt-get install nginx-light)")
    given = nginx.static_header(stage, stage.trust, server.port, server.token)
    stage.wait_listening(given.process, given.clear, given.tls)
    trust = trusting(stage.trust.authority)
    tls = Way((HERE, given.tls), f"localhost:{given.tls}", tls=trust)
    clear = Way((HERE, given.clear), f"localhost:{given.clear}")
    return Contestant(name, given.process, {REVERSE: clear, CONNECT: tls, ANEW: tls})
