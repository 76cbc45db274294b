"""The environment that leads tools to the proxy, as plain values."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from everbearer.clients.upstream import marked, marks, upstream_proxy
from everbearer.clients.variables import (
    Endpoint,
    java_options,
    proxy_variables,
    wgetrc,
)
from everbearer.errors import ConfigError
from everbearer.policy.hosts import HostPattern
from everbearer.secret import Secret

RULED = (HostPattern.parse("api.box.com"),)


def test_a_proxys_url_has_its_user():
    """Name and password stand in it where there are any; IPv6 in brackets."""
    assert Endpoint("127.0.0.1", 80).url == "http://127.0.0.1:80"
    guarded = Endpoint("::1", 80, "me", Secret("hunter2"))
    assert guarded.url == "http://me:hunter2@[::1]:80"
    assert "hunter2" not in repr(guarded)


def test_every_spelling_is_set():
    """Lower and upper case, proxies and exceptions; what was excepted before stays."""
    told = proxy_variables(
        Endpoint("127.0.0.1", 80), RULED, {"NO_PROXY": ".box.com,.corp.example"}
    )
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        assert told[name] == "http://127.0.0.1:80"
    expected = ".corp.example,localhost,127.0.0.1,::1"
    assert told["NO_PROXY"] == told["no_proxy"] == expected
    assert told["NODE_USE_ENV_PROXY"] == "1"


def test_javas_options_follow_those_that_were_there():
    """Each is one word, spaces and bars included; there is no password among them."""
    text = java_options(
        Endpoint("127.0.0.1", 80, "me", Secret("hunter2")),
        Path("/a b/java.jks"),
        ".corp.example,10.0.0.0/8,::1,localhost",
        {"JAVA_TOOL_OPTIONS": "-Xmx1g"},
    )
    words = shlex.split(text)
    assert words[0] == "-Xmx1g"
    assert "-Djavax.net.ssl.trustStore=/a b/java.jks" in words
    assert "-Dhttps.proxyHost=127.0.0.1" in words
    assert "-Dhttp.nonProxyHosts=corp.example|*.corp.example|[::1]|localhost" in words
    assert "hunter2" not in text


def test_wgets_file_ends_in_ours():
    """What the user's said stays, before it."""
    assert wgetrc("", Path("/b.pem")) == "ca_certificate = /b.pem\n"
    assert wgetrc("tries = 2", Path("/b.pem")) == (
        "tries = 2\nca_certificate = /b.pem\n"
    )


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, ""),
        ({"HTTP_PROXY": "http://p:1"}, ""),
        ({"https_proxy": "", "HTTPS_PROXY": "http://p:1/"}, "http://p:1"),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2"}, "http://a:1"),
        ({"ALL_PROXY": "p.example:3128"}, "http://p.example:3128"),
        ({"https_proxy": "http://P.example"}, "http://p.example:80"),
        ({"https_proxy": "http://[::1]:8"}, "http://[::1]:8"),
    ],
)
def test_the_proxy_of_the_environment_is_found(environ, found):
    """As curl would find it for an https URL."""
    assert upstream_proxy(environ, ()) == found


@pytest.mark.parametrize(
    "text",
    [
        "http://me:hunter2@p:1",
        "http://hunter2@p:1",
        "socks5://hunter2:1",
        "https://hunter2:1",
        "http://hunter2:port",
        "http://",
    ],
)
def test_a_proxy_that_ours_cannot_go_by_is_refused(text):
    """The variable is named with what to do, and nothing of it is quoted."""
    with pytest.raises(ConfigError) as caught:
        upstream_proxy({"HTTPS_PROXY": text, "ALL_PROXY": text}, ())
    (problem,) = caught.value.problems
    assert problem.path == "$HTTPS_PROXY"
    assert "upstream_proxy" in problem.fix
    assert "env -u HTTPS_PROXY -u ALL_PROXY everbearer exec" in problem.fix
    assert "hunter2" not in str(problem)


HERE = ("127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"https_proxy": "http://127.0.0.1:8080"}, ""),
        ({"https_proxy": "http://me:hunter2@localhost:8080"}, ""),
        ({"https_proxy": "127.0.0.1:8080", "ALL_PROXY": "p.example:1"}, "p.example:1"),
        ({"https_proxy": "p.example:1", "ALL_PROXY": "127.0.0.1:8080"}, "p.example:1"),
        ({"https_proxy": "http://127.0.0.1:8081"}, "127.0.0.1:8081"),
        (
            {
                "https_proxy": "http://127.0.0.1:8080",
                "ALL_PROXY": "later.example:1",
                "EVERBEARER_PROXY_BEFORE": "",
            },
            "later.example:1",
        ),
        (
            {
                "https_proxy": "http://127.0.0.1:8080",
                "ALL_PROXY": "socks5://b:2",
                "EVERBEARER_PROXY_BEFORE": "a.example:1",
            },
            "a.example:1",
        ),
    ],
)
def test_an_everbearer_of_the_environment_is_gone_past(environ, found):
    """By what was there before it, else by what a further variable names."""
    assert upstream_proxy(environ, {HERE}) == (found and f"http://{found}")


def test_a_marked_everbearer_may_listen_anywhere():
    """As one with users does, at an address that other machines reach."""
    place = "192.0.2.1", 8080
    environ = {"HTTPS_PROXY": "http://me:hunter2@192.0.2.1:8080"}
    assert marked(environ | marks(place, {}, ())) == {place}


def test_a_password_of_a_proxys_is_not_supported_and_that_is_said():
    """The key that cannot hold one is not the advice: a proxy that adds it is."""
    with pytest.raises(ConfigError) as caught:
        upstream_proxy({"https_proxy": "http://me:hunter2@p:1"}, ())
    (problem,) = caught.value.problems
    assert "not supported" in problem.message
    assert "on this machine that adds it" in problem.fix


def test_marks_outlast_a_second_everbearer():
    """What was there first is kept from one to the next, and each is known."""
    environ = {"HTTPS_PROXY": "http://corp:3128"}
    for port in (1, 2, 3):
        address = ("127.0.0.1", port)
        environ |= marks(address, environ, marked(environ))
        environ["HTTPS_PROXY"] = f"http://127.0.0.1:{port}"
        assert marked(environ) == {address}
        assert upstream_proxy(environ, marked(environ)) == "http://corp:3128"
    environ["HTTPS_PROXY"] = "http://127.0.0.1:9"
    assert marked(environ) == frozenset()
    by_hand = {"HTTPS_PROXY": "http://127.0.0.1:8080", "ALL_PROXY": "http://corp:3128"}
    assert marks(HERE, by_hand, {HERE})["EVERBEARER_PROXY_BEFORE"] == "http://corp:3128"


@pytest.mark.parametrize(
    "text", ["http://me:hunter2@p:1", "me:hun@ter2@p:1", "me:hun://ter2@p:1"]
)
def test_marks_hold_no_password(text):
    """That there was one is seen all the same, and refused as before."""
    told = marks(HERE, {"HTTPS_PROXY": text}, ())
    assert "hun" not in str(told)
    environ = told | {"HTTPS_PROXY": "http://127.0.0.1:8080"}
    with pytest.raises(ConfigError, match="user name"):
        upstream_proxy(environ, marked(environ))
