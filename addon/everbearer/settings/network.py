"""`[network]`: how servers are reached and whom to trust, beside the system."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from everbearer.policy.hosts import LARGEST_PORT, HostPattern, normalise_host
from everbearer.settings.files import read_certificates
from everbearer.settings.model import Address, ConnectTo, NetworkSettings
from everbearer.settings.problems import Mistake, quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from everbearer.settings.document import NetworkTable
    from everbearer.settings.problems import Problems
    from everbearer.settings.secrets import SecretReader

_PORT: Final = re.compile(r"[0-9]{1,5}\Z")
_URL: Final = re.compile(r"[!-~]+\Z")


def build_network(table: NetworkTable, reader: SecretReader) -> NetworkSettings:
    """Return the settings; notes what is wrong with them."""
    if table.connect_to and table.upstream_proxy:
        reader.problems.add(
            ("network", "connect_to"),
            "a server dialled elsewhere cannot also be dialled by upstream_proxy",
            "remove one of the two",
        )
    ca_file, ca_digest = _ca_file(table.ca_file, reader)
    return NetworkSettings(
        connect_to=_connect_to(table.connect_to or {}, reader.problems),
        ca_file=ca_file,
        ca_digest=ca_digest,
        upstream_proxy=_upstream_proxy(table.upstream_proxy, reader.problems),
    )


def parse_address(text: str) -> Address:
    """Return the host (a name or an IP address) and the port; raises Mistake."""
    host, _, port = text.rpartition(":")
    if ":" in host and not host.startswith("["):
        raise Mistake(
            "an IPv6 address stands in brackets", f"write: {quote(f'[{host}]:{port}')}"
        )
    if not _PORT.match(port) or not 0 < int(port) <= LARGEST_PORT:
        raise Mistake("expected host:port", 'write, for example: "127.0.0.1:8080"')
    try:
        return Address(normalise_host(host), int(port))
    except ValueError as error:
        raise Mistake(str(error), 'write, for example: "127.0.0.1:8080"') from None


def split_url(url: str) -> SplitResult | None:
    """Return the parts of an absolute URL without user information, None for others."""
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        legal = parts.hostname and normalise_host(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    if not legal or "@" in parts.netloc or not _URL.match(url):
        return None
    return parts


def _connect_to(
    entries: Mapping[str, str], problems: Problems
) -> tuple[ConnectTo, ...]:
    built: dict[tuple[HostPattern, int], ConnectTo] = {}
    for key, value in entries.items():
        where = ("network", "connect_to", key)
        try:
            host, port = _from(key)
            dial = parse_address(value)
        except Mistake as mistake:
            problems.note(where, mistake)
            continue
        if (host, port) in built:
            problems.add(where, f"a second entry for {host}:{port}", "remove one")
        built[host, port] = ConnectTo(host, port, dial)
    return tuple(sorted(built.values(), key=_rank))


def _from(key: str) -> tuple[HostPattern, int]:
    host, _, port = key.rpartition(":")
    if not _PORT.match(port) or not 0 < int(port) <= LARGEST_PORT:
        raise Mistake(
            "expected host:port before the equals sign",
            'write, for example: "api.box.com:443" = "127.0.0.1:9443"',
        )
    try:
        return HostPattern.parse(host), int(port)
    except ValueError as error:
        raise Mistake(str(error)) from None


def _rank(entry: ConnectTo) -> tuple[bool, int, str, int]:
    # The first that matches is dialled: an exact host wins over a pattern, of two
    # patterns the one that says more.
    text = entry.host.text
    return "*" in text, -len(text), text, entry.port


def _ca_file(text: str | None, reader: SecretReader) -> tuple[Path | None, str]:
    """Return the file and the digest of its content."""
    if text is None:
        return None, ""
    try:
        path = reader.surroundings.path(text)
        reader.watched.add(path)
        content = read_certificates(path, reader.surroundings.uid)
        _check_certificates(path, content)
    except Mistake as mistake:
        reader.problems.note(("network", "ca_file"), mistake)
        return None, ""
    return path, hashlib.sha256(content).hexdigest()


def _check_certificates(path: Path, content: bytes) -> None:
    # Slow to load, and most have no such file.
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - see above

    try:
        found = load_pem_x509_certificates(content)
    except ValueError:
        found = []
    if not found:
        raise Mistake(
            f"{path} holds no certificate in PEM form",
            "it begins with -----BEGIN CERTIFICATE-----;"
            " DER is converted by: openssl x509 -inform der -in FILE",
        )


def _upstream_proxy(text: str | None, problems: Problems) -> str:
    if text is None:
        return ""
    where = ("network", "upstream_proxy")
    if "@" in text:
        problems.add(
            where,
            "a proxy that wants a user name or a password is not supported",
            "use a proxy on this machine that adds them, as cntlm and px do:"
            ' upstream_proxy = "http://127.0.0.1:3128"',
        )
        return ""
    parts = split_url(text)
    if (
        parts is None
        or parts.scheme != "http"
        or parts.port is None
        or parts.path not in {"", "/"}
        or parts.query
        or parts.fragment
    ):
        problems.add(
            where,
            "expected http://host:port",
            'write, for example: upstream_proxy = "http://proxy:3128"',
        )
        return ""
    return f"http://{Address(normalise_host(parts.hostname or ''), parts.port)}"
