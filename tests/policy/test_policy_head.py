"""What a request's head says."""

import pytest

from everbearer.policy.head import read_head
from everbearer.policy.query import has_query_token
from everbearer.policy.view import ListenerView


def head(method="GET", target="/2.0/users/me", authority="api.box.com", **fields):
    """Read a head whose fields are given with underscores."""
    given = {name.replace("_", "-"): (value,) for name, value in fields.items()}
    return read_head(method, target, authority, lambda name: given.get(name, ()))


def test_a_plain_head_says_nothing_special():
    """Path without query, and no field that matters."""
    assert head(target="/2.0/users/me?fields=id") == {
        "method": "GET",
        "path": "/2.0/users/me",
        "control_characters": False,
        "query_token": False,
        "profile_fields": (),
        "origins": (),
        "sec_fetch_site": (),
        "cors_preflight": False,
        "trailers": False,
        "as_user": (),
    }


def test_every_field_that_a_decision_looks_at_is_read():
    """Each is found by its name in lower case."""
    said = head(
        everbearer_profile="dev",
        origin="https://a.test",
        sec_fetch_site="none",
        trailer="X",
        as_user="7",
    )
    assert said["profile_fields"] == ("dev",)
    assert said["origins"] == ("https://a.test",)
    assert said["sec_fetch_site"] == ("none",)
    assert said["trailers"]
    assert said["as_user"] == ("7",)
    assert not said["cors_preflight"]


def test_a_preflight_is_an_options_with_an_origin_and_a_method_to_come():
    """Without one of the three it is none (Fetch, CORS-preflight request)."""
    both = {"origin": "https://a.test", "access_control_request_method": "PUT"}
    assert head("OPTIONS", **both)["cors_preflight"]
    assert not head("GET", **both)["cors_preflight"]
    assert not head("OPTIONS", origin="https://a.test")["cors_preflight"]


@pytest.mark.parametrize(
    "odd", [{"method": "GET\r"}, {"target": "/a b"}, {"authority": "api.box.com\n"}]
)
def test_control_characters_are_seen_wherever_they_are(odd):
    """In the method, the target and the authority."""
    assert head(**odd)["control_characters"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("access_token=x", True),
        ("a=b&access%5Ftoken", True),
        ("access_tokens=x", False),
        ("a=access_token", False),
        ("", False),
    ],
)
def test_a_token_in_the_query_is_seen_however_it_is_spelt(query, found):
    """By the part's name, percent-decoded."""
    assert has_query_token(query) is found
    assert head(target=f"/2.0/a?{query}")["query_token"] is found


def test_a_listener_is_addressed_by_its_address_and_as_localhost():
    """An IPv6 address wears brackets in front of a port."""
    listener = ListenerView.at("::1", 8082, "api.box.com", "dev")
    assert listener.address == "[::1]:8082"
    assert listener.own_authorities == {"[::1]:8082", "localhost:8082"}
    assert (listener.reverse, listener.profile) == ("api.box.com", "dev")
