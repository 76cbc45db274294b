"""What an authority of ours cannot be used for, whoever has its key."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from everbearer.certificates import (
    Issued,
    issue_server,
    leaves_addresses,
    make_authority,
    permitted_names,
)
from everbearer.clients.own_authority import find, find_or_make, key_file, renew
from everbearer.policy.hosts import HostPattern
from everbearer.sandbox import tls as sandbox
from everbearer.stores import private
from needs import need

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
RULED = (HostPattern.parse("api.box.com"),)


@pytest.fixture
def authority():
    """Make one as `exec` and `ca` do, for names alone."""
    return make_authority("test", ["box.com"], NOW, DAY)


def general(name: str) -> x509.GeneralName:
    """Return a name as a certificate has it."""
    with suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


def older() -> Issued:
    """Make one as there were before: constrained in names of hosts alone."""
    made = make_authority("older", ["api.box.com"], NOW, DAY)
    public = made.key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(made.certificate.subject)
        .issuer_name(made.certificate.issuer)
        .public_key(public)
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + 365 * DAY)
        .add_extension(
            x509.NameConstraints([x509.DNSName("api.box.com")], None), critical=True
        )
        .sign(made.key, hashes.SHA256())
    )
    return Issued(certificate, made.key)


class Hello(BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self) -> None:
        """Answer whatever is asked."""
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Quiet(ThreadingHTTPServer):
    """A client that turns the certificate down is what is asked for."""

    def handle_error(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def serving(leaf: Path) -> Iterator[int]:
    """Serve with a certificate on a free port of loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf)
    with Quiet(("127.0.0.1", 0), Hello) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def asking(tool: str, ca: Path, host: str, port: int) -> list[str]:
    """Return how *tool* is told to ask 127.0.0.1 as *host*, trusting *ca* alone."""
    url = f"https://{host or '127.0.0.1'}:{port}/"
    if tool == "curl":
        to = f"::127.0.0.1:{port}"
        return ["-sS", "--noproxy", "*", "--cacert", str(ca), "--connect-to", to, url]
    script = f"""
        const ca = require('fs').readFileSync({str(ca)!r});
        const lookup = (_, options, done) => options.all
            ? done(null, [{{address: '127.0.0.1', family: 4}}])
            : done(null, '127.0.0.1', 4);
        require('https')
            .get({url!r}, {{ca, lookup}}, answer => answer.pipe(process.stdout))
            .on('error', error => console.log(error.message));
    """
    return ["-e", script]


def test_it_is_for_servers_alone(authority):
    """Not for clients, code or mail; and for no address where none is named."""
    usage = authority.certificate.extensions.get_extension_for_class(
        x509.ExtendedKeyUsage
    )
    assert list(usage.value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not leaves_addresses(authority.certificate)
    assert permitted_names(authority.certificate) == ("box.com",)
    assert not leaves_addresses(sandbox.make_authority(NOW).certificate)
    assert leaves_addresses(older().certificate)


def test_an_older_one_is_to_be_renewed(tmp_path):
    """It is told with the command that mends it, and then no more."""
    folder = tmp_path / "ca"
    find_or_make(folder, RULED, NOW)
    private.make_file(key_file(folder), older().pem().encode(), replace=True)
    (doubt,) = find(folder).doubts(RULED, NOW)
    assert "any IP address" in doubt
    assert "everbearer ca --renew" in doubt
    assert renew(folder, RULED, NOW).doubts(RULED, NOW) == ()


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("box.com", True),
        ("api.box.com", True),
        ("api.example.com", False),
        ("notbox.com", False),
        ("1.1.1.1", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("2606:4700::1111", False),
    ],
)
def test_openssl_holds_it_to_its_names(authority, tmp_path, name, good):
    """What it signs for another name or for an address is refused, strictly or not."""
    openssl = need("openssl")
    (tmp_path / "ca.pem").write_text(authority.certificate_pem())
    server = issue_server(authority, "test server", [general(name)], NOW, DAY)
    (tmp_path / "leaf.pem").write_text(server.certificate_pem())
    for strict in ([], ["-x509_strict"]):
        done = subprocess.run(
            [
                *(openssl, "verify", *strict, "-purpose", "sslserver"),
                *("-CAfile", tmp_path / "ca.pem", tmp_path / "leaf.pem"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) is good, done


@pytest.mark.real
@pytest.mark.parametrize("tool", ["curl", "node"])
def test_tools_hold_it_to_its_names(authority, tmp_path, tool):
    """A server on 127.0.0.1 with its certificate for that address is not believed."""
    program = need(tool)
    (tmp_path / "ca.pem").write_text(authority.certificate_pem())
    names = [general("127.0.0.1"), general("api.box.com")]
    good = issue_server(authority, "server", names[1:], NOW, DAY)
    bad = issue_server(authority, "server", names[:1], NOW, DAY)
    for leaf, host, accepted in ((good, "api.box.com", True), (bad, "", False)):
        (tmp_path / "leaf.pem").write_text(leaf.pem())
        with serving(tmp_path / "leaf.pem") as port:
            done = subprocess.run(
                [program, *asking(tool, tmp_path / "ca.pem", host, port)],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        assert (done.stdout.strip() == "hello") is accepted, done
