"""A certificate as the proxy shows it, for who wants to know whether tools trust it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from mitmproxy import certs
from mitmproxy.options import CONF_BASENAME, KEY_SIZE

from everbearer.proxy.issuing import OwnCertificates
from everbearer.secret import Secret

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from everbearer.certificates import Issued

_CA: Final = f"{CONF_BASENAME}-ca.pem"


@dataclass(frozen=True, slots=True)
class Leaf:
    """
    The certificate of one host, as PEM, and how long its CA is good.

    Its private key is the first one in `key_file`, the CA's own, as mitmproxy has
    it: nothing secret is copied. Without such a file it follows in `pem`, and
    `password`, which is nowhere else, opens it.
    """

    pem: bytes
    key_file: Path | None
    ca_ends: datetime
    password: Secret | None = None


def leaf(confdir: Path, host: str) -> Leaf | None:
    """
    Return the certificate that mitmproxy's CA in *confdir* issues for *host*.

    None where there is no CA; none is made. Blocks. Raises OSError and ValueError
    for one that cannot be read.
    """
    if not (confdir / _CA).exists():
        return None
    store = certs.CertStore.from_store(confdir, CONF_BASENAME, KEY_SIZE)
    entry = store.get_cert(host, [x509.DNSName(host)])
    ends = store.default_ca.notafter
    return Leaf(entry.cert.to_pem(), confdir / _CA, ends)


def own_leaf(authority: Issued, host: str) -> Leaf:
    """Return the certificate that the proxy shows for *host* in the own CA's name."""
    entry = OwnCertificates(authority).get_cert(host, [x509.DNSName(host)])
    password = Secret(secrets.token_urlsafe())
    key = entry.privatekey.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.reveal().encode()),
    )
    ends = authority.certificate.not_valid_after_utc
    return Leaf(entry.cert.to_pem() + key, None, ends, password)
