"""A server where no token belongs: it keeps every byte that reaches it."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = (
    "evil.test",
    "api.box.com",
    "api.box.com.evil.test",
    "evil-api.box.com",
    "xn--pi-6kc.box.com",
)
"""Its certificate names Box too: what goes there by mistake is not saved by TLS."""

ADDRESSES = ("127.0.0.1", "203.0.113.7", "2001:db8::7")

# RFC 5280 §4.2.1.3: a CA's certificate says so; Python 3.13 insists.
_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
_TLS_RECORD = b"\x16"
_PATIENCE = 20.0
_ANSWER = b"HTTP/1.1 200 OK\r\nServer: wrong\r\nContent-Length: 0\r\n\r\n"


class WrongServer:
    """
    Takes TLS and plain HTTP on one loopback port, whatever name it is asked for.

    It answers 200 to whatever looks like a request, and plays a proxy for CONNECT.
    `authority` is the certificate of the CA that signed its own.
    """

    def __init__(self, folder: Path) -> None:
        self.authority, chain = certificates(NAMES)
        pem = folder / "wrong_server.pem"
        pem.write_bytes(chain)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(pem)
        self._received: list[bytes] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def received(self) -> bytes:
        """Return everything that was sent here, below TLS and inside of it."""
        with self._lock:
            return b"\n".join(self._received)

    def close(self) -> None:
        """Stop listening and end all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(_PATIENCE)
                with self._lock:
                    self._open.add(connection)
                threading.Thread(
                    target=self._serve, args=(connection,), daemon=True
                ).start()

    def _serve(self, connection: socket.socket) -> None:
        channel = connection
        with contextlib.suppress(OSError):
            tunnel = True
            while tunnel:
                if connection.recv(1, socket.MSG_PEEK) == _TLS_RECORD:
                    channel = self._tls.wrap_socket(channel, server_side=True)
                tunnel = self._converse(channel)
        channel.close()
        with self._lock:
            self._open.discard(connection)

    def _converse(self, channel: socket.socket) -> bool:
        """Answer requests until the end; True: what follows is inside a tunnel."""
        pending = b""
        while chunk := channel.recv(65536):
            self._keep(chunk)
            pending += chunk
            while b"\r\n\r\n" in pending:
                head, _, pending = pending.partition(b"\r\n\r\n")
                channel.sendall(_ANSWER)
                if head.startswith(b"CONNECT "):
                    return True
        return False

    def _keep(self, data: bytes) -> None:
        with self._lock:
            self._received.append(data)


def certificates(hosts: tuple[str, ...]) -> tuple[str, bytes]:
    """Return a CA's certificate, and the certificate of *hosts* with its key."""
    now = dt.datetime.now(dt.UTC)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wrong server's CA")])

    def begin(name: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool):
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), ca)
        )

    authority = begin(issuer, ca_key.public_key(), ca=True)
    authority = authority.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
    ).add_extension(_SIGNS, critical=True)
    names = [
        *(x509.DNSName(name) for name in hosts),
        *(x509.IPAddress(ipaddress.ip_address(text)) for text in ADDRESSES),
    ]
    server = (
        begin(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wrong server")]),
            key.public_key(),
            ca=False,
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signed = authority.sign(ca_key, hashes.SHA256())
    return signed.public_bytes(pem).decode(), server.public_bytes(pem) + private
