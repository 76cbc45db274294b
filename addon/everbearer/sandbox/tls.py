"""
A certificate authority for Box's names on loopback, one per state folder.

It is name-constrained (RFC 5280 §4.2.1.10), so a machine that trusts it by mistake
can at worst be deceived about Box's names and its own loopback; it lives 7 days.
"""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from everbearer.sandbox.folder import StateFolder

AUTHORITY_LIFE = dt.timedelta(days=7)
RENEW_BEFORE = dt.timedelta(days=1)
PERMITTED_DNS = ("box.com", "boxcloud.com", "services.box.net", "localhost")
LOOPBACK = "127.0.0.1"
SERVER_NAMES = (
    "api.box.com",
    "account.box.com",
    "upload.box.com",
    "*.app.box.com",
    "dl.boxcloud.com",
    "*.realtime.services.box.net",
    "localhost",
)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its private key."""

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


def make_authority(now: dt.datetime) -> Issued:
    """Return a new certificate authority, valid from *now* for 7 days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("everbearer sandbox, NOT THE REAL BOX")
    builder = (
        _begin(key, subject=name, issuer=name, now=now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.NameConstraints(
                permitted_subtrees=[
                    *(x509.DNSName(name) for name in PERMITTED_DNS),
                    x509.IPAddress(ipaddress.IPv4Network(f"{LOOPBACK}/32")),
                ],
                excluded_subtrees=None,
            ),
            critical=True,
        )
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)


def issue_server(authority: Issued, now: dt.datetime) -> Issued:
    """Return a certificate for every host that the sandbox plays."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [
        *(x509.DNSName(name) for name in SERVER_NAMES),
        x509.IPAddress(ipaddress.IPv4Address(LOOPBACK)),
    ]
    issuer = authority.certificate
    builder = (
        _begin(key, subject=_name("everbearer sandbox"), issuer=issuer.subject, now=now)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                authority.key.public_key()
            ),
            critical=False,
        )
    )
    return Issued(builder.sign(authority.key, hashes.SHA256()), key)


def load_authority(folder: StateFolder, now: dt.datetime) -> Issued:
    """Return the folder's authority; a new one if it has none or the end is near."""
    kept = folder.read("ca_key.pem")
    if kept is not None:
        issued = _parse(kept)
        if issued.certificate.not_valid_after_utc - now > RENEW_BEFORE:
            return issued
    issued = make_authority(now)
    folder.write("ca_key.pem", issued.pem())
    folder.write("ca.pem", issued.certificate_pem())
    return issued


def server_context(folder: StateFolder, now: dt.datetime) -> ssl.SSLContext:
    """Return what the TLS listener needs; the server's certificate is new each time."""
    folder.write("server.pem", issue_server(load_authority(folder, now), now).pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder.path / "server.pem")
    context.set_alpn_protocols(["http/1.1"])
    return context


def _parse(pem: str) -> Issued:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Issued(x509.load_pem_x509_certificate(pem.encode()), key)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _begin(
    key: ec.EllipticCurvePrivateKey,
    *,
    subject: x509.Name,
    issuer: x509.Name,
    now: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # An hour of grace: machines in a test need not agree on the minute.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + AUTHORITY_LIFE)
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
