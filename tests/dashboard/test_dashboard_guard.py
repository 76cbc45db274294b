"""Whose requests the dashboard takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.dashboard.guard import Asked, authorities, judge

OWN = authorities("127.0.0.1", 8083)
HERE = "127.0.0.1:8083"
GET = Asked("GET", "/api/state", (HERE,))
POST = Asked(
    method="POST",
    target="/api/profiles/dev/renew",
    hosts=(HERE,),
    origins=(f"http://{HERE}",),
    sites=("same-origin",),
    modes=("cors",),
    content_types=("application/json",),
    marks=("1",),
)
OPEN = replace(GET, target="/open?ticket=x")


@pytest.mark.parametrize(
    "asked",
    [
        GET,
        replace(GET, method="HEAD"),
        replace(GET, hosts=("localhost:8083",)),
        replace(GET, hosts=("LOCALHOST:8083",)),
        replace(GET, sites=("none",), modes=("navigate",)),
        replace(GET, sites=("same-origin",), origins=(f"http://{HERE}",)),
        replace(OPEN, sites=("cross-site",), modes=("navigate",)),
        POST,
        replace(POST, content_types=("application/json; charset=utf-8",)),
    ],
)
def test_its_own_page_and_tools_are_taken(asked: Asked):
    """The page, a person who types the address, curl, and the way by a link."""
    assert judge(asked, OWN) is None


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        # DNS rebinding, and whatever else names another server.
        *(
            (replace(GET, hosts=(host,)), 421)
            for host in (
                "evil.example",
                "evil.example:8083",
                "api.box.com",
                "127.0.0.1",
                "127.0.0.1:8084",
                "127.0.0.1:08083",
                "127.1:8083",
                "0.0.0.0:8083",
                "[::1]:8083",
                "localhost",
                "localhost.:8083",
                "x.localhost:8083",
                "user@127.0.0.1:8083",
                " 127.0.0.1:8083",
                "127.0.0.1:8083.",
                "",
            )
        ),
        (replace(GET, hosts=()), 421),
        (replace(GET, hosts=(HERE, HERE)), 421),
        (replace(GET, hosts=(HERE, "evil.example")), 421),
        # What is for a proxy.
        (replace(GET, target="http://api.box.com/2.0/users/me"), 400),
        (replace(GET, target=f"http://{HERE}/api/state"), 400),
        (replace(GET, target="//evil.example/"), 400),
        (replace(GET, target="*"), 400),
        (replace(GET, target="api.box.com:443", method="CONNECT"), 400),
        # Other origins, another port of this machine among them.
        *(
            (replace(GET, origins=(origin,)), 403)
            for origin in (
                "https://evil.example",
                "null",
                "http://127.0.0.1:9999",
                f"https://{HERE}",
                "http://localhost:8083",
                "",
            )
        ),
        (replace(GET, origins=(f"http://{HERE}", "null")), 403),
        *(
            (replace(GET, sites=(site,)), 403)
            for site in (
                "cross-site",
                "same-site",
                "",
                "Same-Origin",
            )
        ),
        (replace(GET, sites=("cross-site",), modes=("navigate",)), 403),
        (replace(GET, sites=("none", "cross-site")), 403),
        (replace(OPEN, sites=("cross-site",), modes=("no-cors",)), 403),
        (replace(OPEN, sites=("cross-site",)), 403),
        (
            replace(OPEN, target="/opened", sites=("cross-site",), modes=("navigate",)),
            403,
        ),
        # Changes.
        (replace(POST, origins=()), 403),
        (replace(POST, origins=("https://evil.example",)), 403),
        (replace(POST, origins=("null",)), 403),
        (replace(POST, sites=("cross-site",)), 403),
        (replace(POST, sites=("same-site",)), 403),
        (replace(POST, marks=()), 403),
        (replace(POST, marks=("0",)), 403),
        (replace(POST, content_types=()), 415),
        (replace(POST, content_types=("text/plain",)), 415),
        (replace(POST, content_types=("text/plain; a=application/json",)), 415),
        (replace(POST, content_types=("application/json", "text/plain")), 415),
        *(
            (replace(POST, method=method), 405)
            for method in (
                "PUT",
                "DELETE",
                "PATCH",
                "OPTIONS",
                "TRACE",
                "get",
                "",
            )
        ),
    ],
)
def test_everybody_else_is_refused(asked: Asked, status: int):
    """Each way of coming from elsewhere has its answer."""
    refused = judge(asked, OWN)

    assert refused is not None
    assert refused.status == status


WORDS = """
127.0.0.1:8083 localhost:8083 evil.example http://127.0.0.1:8083 null none
same-origin cross-site navigate application/json 1 /open /
"""
TEXTS = st.sampled_from(WORDS.split()) | st.text(max_size=12)
FIELD = st.lists(TEXTS, max_size=2).map(tuple)


@given(
    st.builds(
        Asked,
        method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]) | TEXTS,
        target=TEXTS,
        hosts=FIELD,
        origins=FIELD,
        sites=FIELD,
        modes=FIELD,
        content_types=FIELD,
        marks=FIELD,
    )
)
def test_nothing_gets_past_without_naming_the_listener_and_its_origin(asked: Asked):
    """Total: what is taken names us once, and every origin that it names is ours."""
    if judge(asked, OWN) is not None:
        return
    (host,) = asked.hosts
    assert host.lower() in OWN
    assert set(asked.origins) <= {f"http://{host.lower()}"}
    assert asked.method in {"GET", "HEAD", "POST"}
    if asked.method == "POST":
        assert asked.origins
        assert asked.marks == ("1",)
        assert set(asked.sites) <= {"same-origin", "none"}


def test_the_names_of_an_ipv6_listener():
    """With brackets, as in a URL, and localhost."""
    assert authorities("::1", 1) == {"[::1]:1", "localhost:1"}
