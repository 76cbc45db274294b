"""Which requests ask an endpoint of an authorization server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.policy.exchange import asks
from everbearer.policy.view import RequestView

URL = "https://api.box.com/oauth2/token"
VIEW = RequestView("https", "api.box.com", 443, "api.box.com", "POST", "/oauth2/token")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"host": "API.BOX.COM."},
        {"path": "/oauth2/token/"},
        {"path": "/OAuth2/Token"},
        {"path": "/oauth2/%74oken"},
        {"path": "/2.0/../oauth2/token"},
        {"path": "//oauth2/token;x=1"},
    ],
)
def test_every_reading_of_the_address_is_known(change: dict[str, object]):
    """However it is spelt: a server may read it as the endpoint's."""
    assert asks(replace(VIEW, **change), URL)


@pytest.mark.parametrize(
    "change",
    [
        {"host": "upload.box.com"},
        {"host": "api.box.com.evil.test"},
        {"host": "api.box.com:443"},
        {"port": 8443},
        {"path": "/oauth2/revoke"},
        {"path": "/oauth2/token2"},
        {"path": "/oauth2/%zz"},
        {"path": "*"},
    ],
)
def test_another_address_is_another(change: dict[str, object]):
    """Another host, port or path, and what is no address at all."""
    assert not asks(replace(VIEW, **change), URL)


def test_the_port_of_the_endpoint_counts():
    """A token_url with a port of its own is asked there only."""
    url = "https://api.box.com:8443/oauth2/token"
    assert asks(replace(VIEW, port=8443), url)
    assert not asks(VIEW, url)


@given(st.text(), st.text())
def test_asking_never_raises(host: str, path: str):
    """Whatever a client sends."""
    asks(replace(VIEW, host=host, path=path), URL)
