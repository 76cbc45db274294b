"""A raw TLS server on loopback, with a certificate for any name."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass
class RawServer:
    """What it got and what it sends; a connection each."""

    answer: bytes = b""
    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    sent: int = 0
    silent: bool = False
    hasty: bool = False  # answers before it is asked
    endless: bytes = b""

    async def serve(self, reader, writer) -> None:
        """Read one request, answer it."""
        try:
            await self._exchange(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has seen enough
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _exchange(self, reader, writer) -> None:
        if self.hasty:
            writer.write(self.answer)
        else:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            if head.startswith(b"CONNECT"):
                writer.write(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
            else:
                length = int(field_of(head, b"content-length"))
                self.bodies.append(await reader.readexactly(length))
                if self.silent:
                    await reader.read()
                writer.write(self.answer)
        await writer.drain()
        while self.endless:
            writer.write(self.endless)
            self.sent += len(self.endless)
            await writer.drain()


def field_of(head: bytes, name: bytes) -> bytes:
    """Return the value of a field, empty without one."""
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


def http(status: str, body: bytes, *fields: str) -> bytes:
    """Return an answer of known length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


@asynccontextmanager
async def serving(
    folder: Path, name: str | None = "api.box.com", **how
) -> AsyncIterator[RawServer]:
    """Serve with a certificate for *name* by `authority()`; None: without TLS."""
    server = RawServer(**how)
    context = None
    if name is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate(folder, name))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _signed(subject: str, *, ca: bool, san: str | None = None) -> x509.Certificate:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    key = _key()
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name("authority of a test"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
            critical=False,
        )
    )
    if ca:
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    if san is not None:
        names = x509.SubjectAlternativeName([x509.DNSName(san)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256())


def authority(folder: Path) -> Path:
    """Write the certificate that all others are signed by."""
    path = folder / "ca.pem"
    made = _signed("authority of a test", ca=True)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def certificate(folder: Path, name: str) -> Path:
    """Write a certificate for *name* and its key."""
    path = folder / "server.pem"
    made = _signed(name, ca=False, san=name)
    key = _key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key)
    return path
