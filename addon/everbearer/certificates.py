"""
Certificate authorities that can speak for a few names only, and what they issue.

An authority is name-constrained (RFC 5280 §4.2.1.10): who trusts it by mistake can
at worst be deceived about those names. Constraints restrict only the forms of names
that they mention, so IP addresses are excluded where none is permitted. Keys are on
the curve P-256.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EVERY_ADDRESS: Final = tuple(
    x509.IPAddress(ipaddress.ip_network(each)) for each in ("0.0.0.0/0", "::/0")
)
_GRACE: Final = dt.timedelta(hours=1)
"""Machines need not agree on the minute."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its private key, which its repr does not show."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def certificate_pem(self) -> str:
        """Return the certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def pem(self) -> str:
        """Return certificate and key, as `ssl` loads them."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return self.certificate_pem() + key.decode()


def make_authority(
    common_name: str,
    permitted: Sequence[str],
    now: dt.datetime,
    life: dt.timedelta,
) -> Issued:
    """
    Return a new certificate authority for the *permitted* names and those below them.

    An IP address stands for itself alone. Raises ValueError where nothing is
    permitted: that would be everything.
    """
    if not permitted:
        raise ValueError("an authority needs a name to be constrained to")
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    subtrees = [_subtree(each) for each in permitted]
    addresses = any(isinstance(each, x509.IPAddress) for each in subtrees)
    constraints = x509.NameConstraints(
        subtrees, None if addresses else list(_EVERY_ADDRESS)
    )
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = (
        _begin(key, subject=name, issuer=name, now=now, life=life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(constraints, critical=True)
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)


def issue_server(
    authority: Issued,
    common_name: str,
    names: Iterable[x509.GeneralName],
    now: dt.datetime,
    life: dt.timedelta,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Issued:
    """Return a server's certificate for *names*; with a new key unless one is given."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    public = authority.key.public_key()
    builder = (
        _begin(
            key, subject=_name(common_name), issuer=issuer.subject, now=now, life=life
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False
        )
    )
    return Issued(builder.sign(authority.key, hashes.SHA256()), key)


def parse(pem: str) -> Issued:
    """Return what `Issued.pem` wrote; raises ValueError for anything else."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key of ours")  # noqa: TRY004 - the content is wrong
    return Issued(x509.load_pem_x509_certificate(pem.encode()), key)


def permitted_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the names below which the authority may speak; none: for everything."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return ()
    subtrees = found.value.permitted_subtrees or []
    return tuple(each.value for each in subtrees if isinstance(each, x509.DNSName))


def leaves_addresses(certificate: x509.Certificate) -> bool:
    """Tell whether the authority may speak for IP addresses that it does not name."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return True
    permitted, excluded = found.value.permitted_subtrees, found.value.excluded_subtrees
    return not any(isinstance(each, x509.IPAddress) for each in permitted or ()) and (
        not set(_EVERY_ADDRESS) <= set(excluded or ())
    )


def permits(permitted: Iterable[str], name: str) -> bool:
    """Tell whether *name*, or "*.name", is one of the permitted, or below one."""
    bare = name.lower().removeprefix("*.")
    return any(bare == each or bare.endswith(f".{each}") for each in permitted)


def _subtree(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common_name: str) -> x509.Name:
    # RFC 5280 appendix A.1: ub-common-name is 64.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _begin(
    key: ec.EllipticCurvePrivateKey,
    *,
    subject: x509.Name,
    issuer: x509.Name,
    now: dt.datetime,
    life: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _GRACE)
        .not_valid_after(now + life)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
