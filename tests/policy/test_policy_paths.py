"""Paths: every reading that a server may have, and patterns over them."""

import posixpath
import re
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from everbearer.policy.paths import PathPattern, is_canonical, readings


class TestReadings:
    """What servers may make of a path."""

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/2.0/users/me",
            "/2.0/files/123/content",
            "/2.0/folders/",
            "/a-b_c~d.e/f@g:h,i=j+k*l(m)'n!$&",
            "/.../..a/.b/c..",
            "/" + "a/" * 20000,
        ],
    )
    def test_canonical(self, path):
        """A plain path has one reading, itself, however long."""
        assert readings(path) == (path,)
        assert is_canonical(path)

    @pytest.mark.parametrize(
        ("path", "reading"),
        [
            ("/2.0/../oauth2/token", "/oauth2/token"),
            ("/2.0/./users", "/2.0/users"),
            ("/2.0/x/..", "/2.0/"),
            ("/2.0/x/.", "/2.0/x/"),
            ("/../../oauth2", "/oauth2"),
            ("/..", "/"),
            ("/2.0/%2e%2E/oauth2/token", "/oauth2/token"),
            ("/2.0/.%2e/oauth2/token", "/oauth2/token"),
            ("/%6Fauth2/token", "/oauth2/token"),
            ("/oauth2%2Ftoken", "/oauth2/token"),
            ("/2.0/..%2foauth2/token", "/oauth2/token"),
            ("/2.0/%252e%252e/oauth2/token", "/oauth2/token"),
            ("/2.0/..%252foauth2/token", "/oauth2/token"),
            ("/2.0/..%5coauth2%5ctoken", "/oauth2/token"),
            ("/2.0\\..\\oauth2\\token", "/oauth2/token"),
            ("/2.0/..%255coauth2/token", "/oauth2/token"),
            ("//oauth2/token", "/oauth2/token"),
            ("/oauth2//token", "/oauth2/token"),
            ("/2.0//../oauth2/token", "/oauth2/token"),
            ("/2.0//../oauth2/token", "/2.0/oauth2/token"),
            ("/2.0/..;/oauth2/token", "/oauth2/token"),
            ("/2.0/..;a=b/oauth2;x/token", "/oauth2/token"),
            ("/oauth2%3bx/token", "/oauth2/token"),
            ("/2.0/;/../oauth2/token", "/oauth2/token"),
            ("/oauth2/token%3Fx", "/oauth2/token"),
            ("/oauth2/token%23x", "/oauth2/token"),
            ("/2.0/%2e%2e/oauth2%2f..%2f2.0/x", "/oauth2/../2.0/x"),
            ("/2.0/a%20b", "/2.0/a b"),
            ("/2.0/ä", "/2.0/ä"),
            ("/2.0/%C3%A4", "/2.0/ä"),
            ("/2.0/100%25", "/2.0/100%"),
            # read by a front end that removes dot segments, and a server that decodes
            ("/a/%2e%2e/../b", "/a/b"),
            ("/a/%2e%2e/../b", "/b"),
        ],
    )
    def test_other_readings(self, path, reading):
        """What a server may read is among the readings, after the path itself."""
        found = readings(path)
        assert found[0] == path
        assert reading in found
        assert not is_canonical(path)

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "2.0/users",
            "https://api.box.com/2.0",
            "api.box.com:443",
            "**",
            "/2.0/users me",
            "/2.0/users\0",
            "/2.0/users\r\nX: y",
            "/2.0/users\x7f",
            "/2.0/users?x",
            "/2.0/users#x",
            "/2.0/%",
            "/2.0/%2",
            "/2.0/%zz",
            "/2.0/%u002e%u002e/oauth2",
            "/2.0/x%00/y",
            "/2.0/x%0d%0ay",
            "/2.0/x%2500y",
            "/2.0/%c0%ae%c0%ae/oauth2/token",
            "/2.0/%e0%80%af",
            "/2.0/%ff",
            "/2.0/%25ff",
            "/2.0/%41\udcff",
            "/2.0/%41" + "a" * 8192,
        ],
    )
    def test_no_path(self, path):
        """What is no path, or has no certain reading, is an error."""
        with pytest.raises(ValueError, match=r"path|codec"):
            readings(path)

    def test_asterisk(self):
        """The target of OPTIONS is read as itself (RFC 9110 §7.1)."""
        assert readings("*") == ("*",)


PIECES = [
    "/", "//", "..", ".", "a", "oauth2", "2.0", "%2e", "%2E", "%2f", "%5c", "%25",
    "%252e", "%252f", "%3b", "%3f", ";", ";x=1", "\\", "%6f", "auth2", "%C3%A4", "*",
]  # fmt: skip
TRICKY = st.lists(st.sampled_from(PIECES), max_size=12).map(lambda p: "/" + "".join(p))


def _nginx(path):
    return re.sub(r"//+", "/", posixpath.normpath("/" + unquote(path).lstrip("/")))


def _tomcat(path):
    return posixpath.normpath("/" + unquote(re.sub(r";[^/]*", "", path)).lstrip("/"))


def _windows(path):
    return _nginx(unquote(path).replace("\\", "/"))


def _twice(path):
    return _nginx(_nginx(path))


@given(TRICKY)
@example("/2.0/%2e%2e/oauth2/token")
def test_models_of_servers_are_among_the_readings(path):
    """What independent models of servers read is a reading, or the path is refused."""
    try:
        found = {reading.rstrip("/") for reading in readings(path)}
    except ValueError:
        return
    for server in (_nginx, _tomcat, _windows, _twice):
        assert server(path).rstrip("/") in found, server


@given(st.one_of(st.text(), st.text().map("/".__add__), TRICKY))
def test_readings_are_total(path):
    """Any text has readings of which the first is itself, or is a ValueError."""
    try:
        found = readings(path)
    except ValueError:
        return
    assert found[0] == path
    assert len(set(found)) == len(found) <= 500
    assert all(reading.startswith("/") for reading in found) or path == "*"


@given(TRICKY)
def test_one_reading_if_canonical(path):
    """A path that is called canonical is one that no habit changes."""
    if is_canonical(path):
        assert _nginx(path).rstrip("/") == path.rstrip("/")
        assert "%" not in path
        assert ";" not in path


class TestPathPattern:
    """Patterns over one reading."""

    @pytest.mark.parametrize(
        ("pattern", "reading", "expected"),
        [
            ("/2.0/*", "/2.0/users", True),
            ("/2.0/*", "/2.0/", True),
            ("/2.0/*", "/2.0", False),
            ("/2.0/*", "/2.00/users", False),
            ("/2.0*", "/2.00/users", True),
            ("/2.0/*", "/x/2.0/users", False),
            ("/*", "/", True),
            ("/oauth2/token", "/oauth2/token", True),
            ("/oauth2/token", "/oauth2/token/", False),
            ("/oauth2/token", "/oauth2/tokens", False),
            ("/oauth2/token", "/OAuth2/token", False),
        ],
    )
    def test_matches(self, pattern, reading, expected):
        """A pattern is a whole path, or with "*" its beginning; case counts."""
        assert PathPattern.parse(pattern).matches(reading) is expected

    @pytest.mark.parametrize(
        ("pattern", "reading", "expected"),
        [
            ("/oauth2/token", "/OAuth2/TOKEN", True),
            ("/oauth2/*", "/OAUTH2/x", True),
            ("/OAuth2/*", "/oauth2/x", True),
            ("/oauth2/*", "/oauth/x", False),
            ("/oauth2/token", "/oauth2/toke", False),
        ],
    )
    def test_matches_any_case(self, pattern, reading, expected):
        """Servers to which case is nothing are thought of."""
        assert PathPattern.parse(pattern).matches_any_case(reading) is expected

    @pytest.mark.parametrize(
        ("text", "corrected"),
        [
            ("*", 'use "/*"'),
            ("", 'use "/"'),
            ("2.0/*", 'use "/2.0/*"'),
            ("https://api.box.com/2.0/*", 'use "/2.0/*"'),
            ("/2.0/*/content", 'use "/2.0/*"'),
            ("/2.0/**", 'use "/2.0/*"'),
            ("/2.0/../oauth2/*", 'use "/oauth2/*"'),
            ("/2.0/../oauth2", 'use "/oauth2"'),
            ("/2.0//x", 'use "/2.0/x"'),
            ("/2.0/%61", 'use "/2.0/a"'),
            ("/2.0/x?y=z", 'use "/2.0/x"'),
            ("/2.0;v=1/*", 'use "/2.0/*"'),
            ("/a%20b/*", 'such as "/2.0/*"'),
            ("/%ff/*", 'such as "/2.0/*"'),
        ],
    )
    def test_wrong_forms(self, text, corrected):
        """A wrong form is an error whose message has the right one."""
        with pytest.raises(ValueError, match=re.escape(corrected)):
            PathPattern.parse(text)

    @pytest.mark.parametrize("text", ["/2.0/*", "/oauth2/token", "/*", "/"])
    def test_text(self, text):
        """A pattern reads as it was written."""
        assert str(PathPattern.parse(text)) == text

    @given(st.text(max_size=20))
    def test_accepts_what_has_one_reading(self, text):
        """What `parse` accepts is canonical; anything else is a ValueError."""
        try:
            pattern = PathPattern.parse(text)
        except ValueError:
            return
        assert is_canonical(pattern.path)
        assert str(pattern) == text
