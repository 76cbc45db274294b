"""`[[listeners]]`: where tools reach the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everbearer.policy.hosts import is_address, is_loopback, normalise_host
from everbearer.settings.model import Address, Listener
from everbearer.settings.network import parse_address, split_url
from everbearer.settings.problems import Mistake, quote, spell
from everbearer.settings.rules import check_profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from everbearer.policy.hosts import HostPattern
    from everbearer.settings.document import ListenerTable
    from everbearer.settings.problems import Problems, Where

DEFAULT: Final = (Listener(Address("127.0.0.1", 8080)),)


def build_listeners(
    tables: Sequence[ListenerTable] | None,
    profiles: Iterable[str],
    covered: Sequence[HostPattern] | None,
    problems: Problems,
    *,
    guarded: bool,
) -> tuple[Listener, ...]:
    """
    Return the listeners that are sound; notes what is wrong with others.

    `covered` are the hosts that rules name, None where that is not known;
    `guarded` tells that there are users, or would be without a mistake.
    """
    if tables is None:
        return DEFAULT
    if not tables:
        problems.add(("listeners",), "is empty", "remove it, or write [[listeners]]")
    names = tuple(profiles)
    taken: dict[Address, Where] = {}
    built: list[Listener] = []
    for position, table in enumerate(tables):
        where: Where = ("listeners", position)
        address = _address(where, table, problems, guarded=guarded)
        if address in taken:
            problems.add(
                (*where, "address"),
                f"{spell(taken[address])} listens on {address} already",
                "give each listener its own port",
            )
        reverse = _reverse((*where, "reverse"), table.reverse, covered, problems)
        if table.profile is not None:
            check_profile((*where, "profile"), table.profile, names, problems)
        if address is not None:
            taken.setdefault(address, where)
            built.append(Listener(address, reverse, table.profile or ""))
    return tuple(built)


def parse_listen(text: str) -> Address:
    """Return an address to listen on; raises Mistake."""
    if text.removeprefix(":").isdigit():
        raise Mistake(
            "the address is missing", f'write: "127.0.0.1:{text.removeprefix(":")}"'
        )
    address = parse_address(text)
    if not is_address(address.host):
        raise Mistake("expected an IP address", f'write: "127.0.0.1:{address.port}"')
    return address


def check_guarded(address: Address, *, guarded: bool) -> None:
    """Raise Mistake for an address that others reach, where there are no users."""
    if not guarded and not is_loopback(address.host):
        raise Mistake(
            "whoever reaches this address could use your tokens",
            f'write: "127.0.0.1:{address.port}"; or add [[proxy.users]], whose lines'
            " are made by: everbearer user NAME",
        )


def _address(
    where: Where, table: ListenerTable, problems: Problems, *, guarded: bool
) -> Address | None:
    if table.address is None:
        problems.missing((*where, "address"), table.example("address"))
        return None
    try:
        address = parse_listen(table.address)
        check_guarded(address, guarded=guarded)
    except Mistake as mistake:
        problems.note((*where, "address"), mistake)
        return None
    return address


def _reverse(
    where: Where,
    text: str | None,
    covered: Sequence[HostPattern] | None,
    problems: Problems,
) -> str:
    """Return the host that the listener stands for, "" for an explicit proxy."""
    if text is None:
        return ""
    parts = split_url(text)
    host = normalise_host(parts.hostname or "") if parts else ""
    if parts is None or text.lower() != f"https://{host}" or is_address(host):
        problems.add(
            where,
            "expected https://host and nothing more",
            f"write: reverse = {quote(f'https://{host}' if host else _EXAMPLE)}",
        )
        return ""
    if covered is not None and not any(p.matches(host) for p in covered):
        problems.add(
            where,
            f"no rule names {host}",
            f'add [[rules]] with hosts = ["{host}"] and the profiles that may serve it',
        )
    return host


_EXAMPLE: Final = "https://api.box.com"
