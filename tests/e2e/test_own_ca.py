"""With `proxy.ca = "own"` clients are shown what the user's own CA issued."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import Place, Proxy, Sandbox, Stock, curl
from needs import need

ME = "https://api.box.com/2.0/users/me"


@pytest.fixture
def config(sandbox: Sandbox) -> Path:
    """Write a configuration that wants it."""
    return sandbox.config("own", '[proxy]\nca = "own"\n', "client_credentials")


def certificate(place: Place) -> Path:
    """Return where the own CA's certificate is."""
    return place.root / "home" / ".local" / "share" / "everbearer" / "ca" / "ca.pem"


def test_serve_shows_it_and_nothing_of_mitmproxys(place: Place, config: Path):
    """A tool that trusts it alone is answered; mitmproxy's CA is never made."""
    proxy = Proxy(place, config)
    answer = curl("-x", proxy.url, "--cacert", str(certificate(place)), ME)
    assert answer.status == 200, (answer, proxy.process.output)
    assert str(certificate(place)) in proxy.process.output
    assert not proxy.confdir.exists()


def test_stock_mitmproxy_shows_it_too(place: Place, config: Path):
    """Inside mitmdump with our script, the same."""
    stock = Stock(place, config).ready()
    answer = curl("-x", stock.url, "--cacert", str(certificate(place)), ME)
    assert answer.status == 200, (answer, stock.process.output)


def test_a_certificate_names_no_host_beyond_the_constraints(place: Place, config: Path):
    """The real server's other names are left out: they would void it for clients."""
    openssl = need("openssl")
    proxy = Proxy(place, config)
    done = subprocess.run(
        [
            *(openssl, "s_client", "-proxy", f"127.0.0.1:{proxy.port}"),
            *("-connect", "api.box.com:443", "-servername", "api.box.com"),
            *("-CAfile", str(certificate(place)), "-verify_return_error"),
            *("-x509_strict", "-verify_hostname", "api.box.com"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Verification: OK" in done.stdout, (done, proxy.process.output)
    text = subprocess.run(
        [openssl, "x509", "-noout", "-ext", "subjectAltName"],
        input=done.stdout,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {each.strip() for each in text.splitlines()[1].split(",")}
    assert "DNS:api.box.com" in names
    assert not names & {"DNS:localhost", "IP Address:127.0.0.1"}  # the sandbox's own


def test_a_tool_that_does_not_trust_it_is_told_where_it_is(place: Place, config: Path):
    """The log names the certificate, and how tools are told of it."""
    proxy = Proxy(place, config)
    assert curl("-x", proxy.url, ME).status == 0
    proxy.process.wait_for(rf"--cacert {certificate(place)}")


MORE = """
[[rules]]
hosts = ["api.example.com"]
profiles = ["ccg"]
"""


def test_a_reload_that_outgrows_it_is_told(place: Place, config: Path):
    """At the reload, with what mends it: a new CA and a new start."""
    proxy = Proxy(place, config)
    config.write_text(config.read_text() + MORE)
    proxy.process.wait_for(
        r"warning: .* not made for api\.example\.com: .* ca .*--renew"
    )
    proxy.process.stop()
    done = place.everbearer("ca", "-c", str(config), "--renew", "--yes")
    assert "restart it" in done.stderr
    again = Proxy(place, config)
    config.write_text(config.read_text() + "# read anew\n")
    again.process.wait_for(r"is in force")
    assert "not made for" not in again.process.output


def test_stock_mitmproxy_tells_it_too(place: Place, config: Path):
    """In its own log."""
    stock = Stock(place, config).ready()
    config.write_text(config.read_text() + MORE)
    stock.process.wait_for(r"not made for api\.example\.com")
