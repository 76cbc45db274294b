"""
What clients on other machines may reach through this one.

A proxy stands inside: beside the services of its own machine, of its network
and of its cloud. Somebody from outside shall reach by it what he reaches anyway.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from everbearer.policy.hosts import is_loopback
from everbearer.policy.verdict import Refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""RFC 4291 §2.4, IANA: all that is assigned. Python calls fec0::/10 global too."""

_DOCUMENTATION: Final = IPv6Network("3fff::/20")  # RFC 9637, new to Python
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1

_PLATFORM: Final = frozenset({IPv4Address("168.63.129.16")})
"""
Azure's platform, the same in every virtual machine there
(learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
"""


def is_public(text: str) -> bool:
    """
    Tell whether an IP address, without brackets, is one host of the internet's.

    Loopback, private, link-local, shared (RFC 6598), multicast, reserved and
    unspecified ones are not; an IPv6 address that stands for an IPv4 one
    (mapped, NAT64, 6to4, Teredo) is what that is. Never raises.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_4(address)
    inner = _inner(address)
    if inner is not None:
        return _is_public_4(inner)
    return (
        address.scope_id is None
        and address in _GLOBAL_UNICAST
        and address.is_global
        and address not in _DOCUMENTATION
    )


def refusal(host: str, addresses: Iterable[str]) -> Refuse | None:
    """
    Refuse *host* for what it is or for any of the *addresses* that it has.

    One that is not public is enough: who can mix them can choose among them.
    """
    found = tuple(addresses)
    if not is_loopback(host) and all(map(is_public, found)):
        return None
    return private(host)


def private(host: str) -> Refuse:
    """Refuse a host that leads inside."""
    return Refuse(
        403,
        "destination_private",
        f"{host} is not on the internet, and this listener's clients reach nothing"
        " else",
        "for a host that they shall reach, set network.connect_to",
    )


def unchecked(host: str) -> Refuse:
    """Refuse a host that another proxy would look up."""
    return Refuse(
        403,
        "destination_unchecked",
        f"no rule names {host}, and where network.upstream_proxy would lead this"
        " listener's clients cannot be checked",
        "add a rule for the host, or ask from the proxy's own machine",
    )


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


def _is_public_4(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and address not in _PLATFORM
    )
