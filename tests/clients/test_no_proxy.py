"""`NO_PROXY` leads nobody past the proxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.clients.no_proxy import without_ruled
from everbearer.policy.hosts import LOOPBACK, HostPattern

RULED = tuple(map(HostPattern.parse, ["api.box.com", "upload-*.app.box.com"]))
OURS = ",".join(LOOPBACK)


@pytest.mark.parametrize(
    "entry",
    [
        "*",
        "api.box.com",
        "API.Box.COM",
        "api.box.com.",
        "api.box.com:443",
        ".api.box.com",
        "box.com",
        ".box.com",
        "*.box.com",
        "*box.com",
        "com",
        ".com",
        "ox.com",  # requests 2.32 compares the text alone
        "api.*",
        "a?i.box.com",
        "app.box.com",
        "upload-las.app.box.com",
        "*.app.box.com",
        "upload-*.app.box.com",
    ],
)
def test_an_entry_that_could_mean_a_ruled_host_goes(entry):
    """However a tool would read it."""
    assert without_ruled(f"a.example,{entry} b.example", RULED) == (
        f"a.example,b.example,{OURS}"
    )


@pytest.mark.parametrize(
    "entry",
    [
        "example.com",
        ".corp.example",
        "*.corp.example",
        "account.box.com",
        "x.api.box.org",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "192.168.1.7:8080",
        "fd00::/8",
        "[fd00::1]:8080",
    ],
)
def test_other_entries_stay(entry):
    """Addresses and CIDR blocks mean no ruled host: those have names."""
    assert without_ruled(entry, RULED) == f"{entry},{OURS}"


def test_this_machine_is_never_asked_for_by_the_proxy():
    """What a command serves to itself is added once."""
    assert without_ruled("", RULED) == OURS
    assert without_ruled(OURS, RULED) == OURS


@given(st.text())
def test_whatever_stands_there_it_means_no_ruled_host(text):
    """No entry that is left is a ruled host, or a suffix of one, or a star."""
    left = without_ruled(text, RULED).split(",")
    assert not [e for e in left if e and "api.box.com".endswith(e.strip(".*"))]
    assert "*" not in left
