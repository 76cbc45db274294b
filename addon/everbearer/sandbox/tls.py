"""
A certificate authority for Box's names on loopback, one per state folder.

It is name-constrained (RFC 5280 §4.2.1.10), so a machine that trusts it by mistake
can at worst be deceived about Box's names and its own loopback; it lives 7 days.
"""

import datetime as dt
import ipaddress
import ssl

from cryptography import x509

from everbearer import certificates
from everbearer.certificates import Issued
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


def make_authority(now: dt.datetime) -> Issued:
    """Return a new certificate authority, valid from *now* for 7 days."""
    return certificates.make_authority(
        "everbearer sandbox, NOT THE REAL BOX",
        (*PERMITTED_DNS, LOOPBACK),
        now,
        AUTHORITY_LIFE,
    )


def issue_server(authority: Issued, now: dt.datetime) -> Issued:
    """Return a certificate for every host that the sandbox plays."""
    names = [
        *(x509.DNSName(name) for name in SERVER_NAMES),
        x509.IPAddress(ipaddress.IPv4Address(LOOPBACK)),
    ]
    return certificates.issue_server(
        authority, "everbearer sandbox", names, now, AUTHORITY_LIFE
    )


def load_authority(folder: StateFolder, now: dt.datetime) -> Issued:
    """Return the folder's authority; a new one if it has none or the end is near."""
    kept = folder.read("ca_key.pem")
    if kept is not None:
        issued = certificates.parse(kept)
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
