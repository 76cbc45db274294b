"""`[dashboard]`: the page that shows what the tokens do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everbearer.policy.hosts import is_loopback
from everbearer.settings.listeners import parse_listen
from everbearer.settings.model import DashboardSettings
from everbearer.settings.problems import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everbearer.settings.document import DashboardTable
    from everbearer.settings.model import Address, Listener
    from everbearer.settings.problems import Problems


def build_dashboard(
    table: DashboardTable, listeners: Iterable[Listener], problems: Problems
) -> DashboardSettings:
    """
    Return whether there is a dashboard, and where; notes what is wrong with it.

    Never beyond loopback: who opens it can renew and revoke, and what passes
    between it and a browser is neither encrypted nor asked for a password.
    """
    enabled = table.enabled is not False
    if table.listen is None:
        return DashboardSettings(enabled)
    try:
        address = parse_listen(table.listen)
        _check(address, listeners)
    except Mistake as mistake:
        problems.note(("dashboard", "listen"), mistake)
        return DashboardSettings(enabled)
    return DashboardSettings(enabled, address)


def _check(address: Address, listeners: Iterable[Listener]) -> None:
    if not is_loopback(address.host):
        raise Mistake(
            "the dashboard has neither passwords nor TLS, so it is for this machine"
            " alone",
            f'write: "127.0.0.1:{address.port}"; from elsewhere reach it by:'
            f" ssh -L {address.port}:127.0.0.1:{address.port} HOST",
        )
    if any(each.address == address for each in listeners):
        raise Mistake(
            f"a listener has {address} already", "give the dashboard its own port"
        )
