"""What is on the internet, and what only looks so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.policy.reach import is_public, refusal, unchecked

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "74.112.184.73",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80f::200e",
    "64:ff9b::808:808",  # NAT64 of a public one
    "::ffff:8.8.8.8",
    "2002:808:808::1",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "224.0.1.1",
    "239.255.255.255",
    "233.252.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001:db8::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo of 127.0.0.1
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "",
    "localhost",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address):
    """One host of the internet's."""
    assert is_public(address)
    assert refusal("example.com", [address]) is None


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address):
    """Inside, everybody, nobody, or not an address at all."""
    assert not is_public(address)
    found = refusal("example.com", ["8.8.8.8", address])
    assert found is not None
    assert (found.status, found.code) == (403, "destination_private")


def test_one_private_address_is_enough():
    """Who can mix them chooses among them; this machine's name needs none."""
    assert refusal("a.test", ()) is None
    assert refusal("localhost", ("8.8.8.8",)) is not None
    assert unchecked("a.test").code == "destination_unchecked"


@given(st.text() | st.ip_addresses().map(str))
def test_any_text_is_judged(text):
    """Never raises, and no loopback or link-local address of any form passes."""
    if is_public(text):
        assert not text.startswith(
            ("127.", "169.254.", "10.", "192.168.", "fe8", "::1")
        )
