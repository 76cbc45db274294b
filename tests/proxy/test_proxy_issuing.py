"""What the proxy shows in the name of an authority of ours."""

from __future__ import annotations

import datetime as dt
import ipaddress

import pytest
from cryptography import x509
from mitmproxy.exceptions import AddonHalt

from everbearer.certificates import make_authority
from everbearer.proxy.issuing import OwnCertificates

BOX = x509.DNSName("api.box.com")
OTHER = x509.DNSName("api.example.com")
ADDRESS = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@pytest.fixture
def store():
    """Issue for Box alone."""
    now = dt.datetime.now(dt.UTC)
    return OwnCertificates(
        make_authority("test", ["box.com"], now, dt.timedelta(days=1))
    )


def test_names_beyond_the_authority_are_left_out(store):
    """Clients would refuse the certificate for them."""
    entry = store.get_cert(None, [OTHER, BOX, ADDRESS])
    assert list(entry.cert.altnames) == [BOX]


@pytest.mark.parametrize("names", [[OTHER], [ADDRESS], [OTHER, ADDRESS], []])
def test_nothing_is_signed_beyond_the_authority(store, names, caplog):
    """Not even for clients to refuse; the log says why, and what to do."""
    with pytest.raises(AddonHalt):
        store.get_cert(None, names)
    assert not store.certs
    assert "everbearer ca --renew" in caplog.text
    assert all(str(name.value) in caplog.text for name in names)
