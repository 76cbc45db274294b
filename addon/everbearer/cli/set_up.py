"""How tools are led to the very proxy that runs: lines to be copied."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from everbearer.cli import voice
from everbearer.cli.banner import by_proxy, in_place
from everbearer.dashboard.state import SetUp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from everbearer.settings.model import Settings

_USERS: Final = (
    " The proxy has users: its address needs NAME:PASSWORD@ before the host, in a file"
    " that only you can read rather than on a command line."
)


def set_up(settings: Settings, authority: Path) -> Iterator[SetUp]:
    """Yield the ways; *authority* is the certificate that tools have to trust."""
    users = _USERS if settings.proxy.users else ""
    ca = shlex.quote(str(authority))
    explicit = [each for each in settings.listeners if not each.reverse]
    for listener in explicit:
        bound = f", profile {listener.profile}" if listener.profile else ""
        yield SetUp(
            f"By the proxy {listener.address}{bound}",
            f"For tools that take a proxy and a CA certificate.{users}",
            (
                by_proxy(settings, listener, authority),
                f"export HTTPS_PROXY=http://{listener.address} NODE_USE_ENV_PROXY=1",
                f"export NODE_EXTRA_CA_CERTS={ca}",
            ),
        )
    for listener in settings.listeners:
        if listener.reverse:
            yield SetUp(
                f"In place of {listener.reverse}: {listener.address}",
                f"For tools without proxy settings: http://{listener.address} instead"
                f" of https://{listener.reverse}, and no CA to trust.",
                (in_place(settings, listener),),
            )
    yield SetUp(
        "The certificate",
        "What a tool has to trust, to go by the proxy.",
        (str(authority),),
    )
    yield SetUp(
        "Other ways",
        "One command with a proxy of its own, and what a tool needs in detail.",
        (
            voice.pasteable("everbearer exec -- COMMAND"),
            voice.pasteable("everbearer env --for postman"),
        ),
    )
