"""Host names: one spelling each, and patterns that match nothing else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from everbearer.policy.hosts import (
    HostPattern,
    NonAsciiHost,
    is_loopback,
    join_authority,
    normalise_host,
    possible_names,
    split_authority,
)


class TestNormaliseHost:
    """Spellings of one name become one; what is no name is an error."""

    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            ("api.box.com", "api.box.com"),
            ("API.Box.COM", "api.box.com"),
            ("api.box.com.", "api.box.com"),
            ("_dmarc.box.com", "_dmarc.box.com"),
            ("xn--pi-6kc.box.com", "xn--pi-6kc.box.com"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("[::1]", "::1"),
            ("0:0::1", "::1"),
            ("[2001:DB8::A]", "2001:db8::a"),
            ("1.2.3.4.example", "1.2.3.4.example"),
            (f"{'a' * 63}.example", f"{'a' * 63}.example"),
        ],
    )
    def test_spellings(self, raw, expected):
        """Case, the trailing dot and IPv6 spellings do not tell names apart."""
        assert normalise_host(raw) == expected

    @pytest.mark.parametrize(
        "raw",
        [
            "",
            ".",
            "..",
            "api.box.com..",
            ".api.box.com",
            "api..box.com",
            "-api.box.com",
            "api-.box.com",
            "api.box.com-",
            "-",
            "api.box.com:443",
            "user@api.box.com",
            "user:pw@api.box.com",
            "api.box.com/",
            "https://api.box.com",
            " api.box.com",
            "api.box.com ",
            "api.box.com\t",
            "api.box.com\n",
            "api.box.com\0",
            "api.box.com\0.evil.test",
            "api%2ebox.com",
            "*.box.com",
            "api,box.com",
            f"{'a' * 64}.example",
            ".".join(["a" * 63] * 4),
        ],
    )
    def test_no_bare_host(self, raw):
        """Whatever surrounds or breaks a name is an error, never cut away."""
        with pytest.raises(ValueError, match=r"not a legal|neither a bare"):
            normalise_host(raw)

    @pytest.mark.parametrize(
        "raw",
        [
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "0x",
            "2130706433",
            "0177.0.0.1",
            "127.0.0.01",
            "1.2.3.4.5",
            "api.box.0x1",
            "api.box.256",
        ],
    )
    def test_odd_addresses(self, raw):
        """What some program takes for an IPv4 address is no host name."""
        with pytest.raises(ValueError, match="odd spelling of an IPv4 address"):
            normalise_host(raw)

    def test_zone(self):
        """An address with a zone is an error: it means another host elsewhere."""
        with pytest.raises(ValueError, match="zone"):
            normalise_host("[fe80::1%eth0]")

    @pytest.mark.parametrize(
        ("raw", "form"),
        [
            ("\uff41pi.box.com", "api.box.com"),
            ("api\u3002box\uff0ecom", "api.box.com"),
            ("\uff21\uff30\uff29.BOX.\uff23\uff2f\uff2d.", "api.box.com"),
            ("api\u00ad.box.com", "api.box.com"),
            ("\u200bapi.box.com", "api.box.com"),
            ("\u212a.example", "k.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("\u0430pi.box.com", "xn--pi-6kc.box.com"),  # a Cyrillic letter
            ("api.box.com\uff0fx", ""),
            ("\udc80.box.com", ""),
            ("ä" * 300, ""),
        ],
    )
    def test_not_ascii(self, raw, form):
        """Other than ASCII is an error that knows the ASCII form, if there is one."""
        with pytest.raises(NonAsciiHost) as error:
            normalise_host(raw)
        assert error.value.ascii_form == form
        assert (f'use "{form}"' if form else "write it in ASCII") in str(error.value)


class TestSplitAuthority:
    """Host and port of Host and `:authority` texts."""

    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            ("api.box.com", ("api.box.com", None)),
            ("API.box.com.:443", ("api.box.com", 443)),
            ("127.0.0.1:8082", ("127.0.0.1", 8082)),
            ("[::1]:65535", ("::1", 65535)),
            ("[::1]", ("::1", None)),
        ],
    )
    def test_splits(self, raw, expected):
        """The host is normalised, the port a number or None."""
        assert split_authority(raw) == expected

    @pytest.mark.parametrize(
        "raw",
        [
            "",
            ":443",
            "api.box.com:",
            "api.box.com:0",
            "api.box.com:0443",
            "api.box.com:65536",
            "api.box.com:443:443",
            "api.box.com:https",
            "api.box.com:\uff14\uff14\uff13",
            "user@api.box.com:443",
            "a:b@api.box.com",
            "::1",
            "[::1",
            "[api.box.com]:443",
            "api.box.com:443 ",
            "api.box.com, evil.test",
        ],
    )
    def test_no_authority(self, raw):
        """Anything else is an error."""
        with pytest.raises(ValueError, match=r"not a|neither|ASCII"):
            split_authority(raw)

    def test_not_ascii(self):
        """Other than ASCII is the same error as in a bare name."""
        with pytest.raises(NonAsciiHost) as error:
            split_authority("\uff41pi.box.com:443")
        assert error.value.ascii_form == "api.box.com"


class TestPossibleNames:
    """What a text could be taken for."""

    @pytest.mark.parametrize(
        "raw",
        [
            "api.box.com",
            "API.BOX.COM...",
            ".api..box.com",
            "user:pw@api.box.com:443",
            "https://api.box.com/2.0",
            "api%2Ebox.com",
            "api%EF%BC%8Ebox.com",
            "api.box.com\0.evil.test",
            "evil.test api.box.com",
            "\uff41pi\u3002box.com\uff1a443",
            "api\u200d.box.com",
            "api\u200e.box.com",
            "api\ufe00.box.com",
            "api.box.com\u3002",
        ],
    )
    def test_finds(self, raw):
        """No wrapping or spelling hides a name."""
        assert "api.box.com" in possible_names(raw)

    @pytest.mark.parametrize(
        "raw",
        ["evil-api.box.com", "api.box.com.evil.test", "\u0430pi.box.com", "", "\ud800"],
    )
    def test_does_not_find(self, raw):
        """Another name is another name."""
        assert "api.box.com" not in possible_names(raw)

    def test_longer_than_a_name(self):
        """What is longer than any name is none, and costs no time to convert."""
        assert possible_names(".".join(["\u00e4"] * 200)) == ()

    @given(st.text())
    def test_never_raises(self, raw):
        """Any text has possible names, each in ASCII, or none."""
        assert all(name.isascii() for name in possible_names(raw))


class TestHostPattern:
    """Patterns match what they say and nothing else."""

    @pytest.mark.parametrize(
        ("pattern", "host", "expected"),
        [
            ("api.box.com", "api.box.com", True),
            ("API.Box.com.", "api.box.com", True),
            ("api.box.com", "evil-api.box.com", False),
            ("api.box.com", "api.box.com.evil.test", False),
            ("api.box.com", "box.com", False),
            ("*.app.box.com", "upload.app.box.com", True),
            ("*.app.box.com", "app.box.com", False),
            ("*.app.box.com", ".app.box.com", False),
            ("*.app.box.com", "a.b.app.box.com", False),
            ("*.app.box.com", "evil-app.box.com", False),
            ("upload-*.app.box.com", "upload-las.app.box.com", True),
            ("upload-*.app.box.com", "upload-.app.box.com", False),
            ("upload-*.app.box.com", "upload-a.b.app.box.com", False),
            ("upload-*.app.box.com", "upload-las.app.box.com.evil.test", False),
            ("upload-*.app.box.com", "xupload-las.app.box.com", False),
            ("up*ad.app.box.com", "upload.app.box.com", True),
            ("up*pad.app.box.com", "upad.app.box.com", False),
            ("*.app.box.com", "com", False),
        ],
    )
    def test_matches(self, pattern, host, expected):
        """A "*" is one character or more of the leftmost label."""
        assert HostPattern.parse(pattern).matches(host) is expected

    @pytest.mark.parametrize(
        ("text", "corrected"),
        [
            ("https://api.box.com", 'use "api.box.com"'),
            ("https://api.box.com/2.0/*", 'use "api.box.com"'),
            ("api.box.com:443", 'use "api.box.com"'),
            ("API.box.com/2.0", 'use "api.box.com"'),
            ("api.box.com?x", 'use "api.box.com"'),
            ("user:pw@api.box.com", 'use "api.box.com"'),
            (" api.box.com\n", 'use "api.box.com"'),
            ("https://*.app.box.com:443/", r'use "\*.app.box.com"'),
            ("https://*", 'use a name, such as "api.box.com"'),
            ("\uff41pi.box.com", 'use "api.box.com"'),
            ("bücher.example", 'use "xn--bcher-kva.example"'),
            ("*.bücher.example", "written in ASCII: use a name"),
            ("*", "two labels or more"),
            ("*.com", "two labels or more"),
            ("*box.com", "two labels or more"),
            ("upload-*.com", "two labels or more"),
            ("api.*.box.com", 'one "\\*", inside its leftmost label'),
            ("*.*.box.com", 'one "\\*", inside its leftmost label'),
            ("u*p*.box.com", 'one "\\*", inside its leftmost label'),
            ("1.2.3.4", "no IP address"),
            ("::1", "no IP address"),
            ("127.1", "odd spelling"),
            ("*.1.2.3", "odd spelling"),
            ("[::1]:443", "neither a bare host name"),
            ("api.box.com..", "legal host name"),
            ("api..box.com", "legal host name"),
            ("api box.com", "legal host name"),
            ("", "legal host name"),
        ],
    )
    def test_wrong_forms(self, text, corrected):
        """A wrong form is an error whose message has the right one."""
        with pytest.raises(ValueError, match=corrected):
            HostPattern.parse(text)

    @pytest.mark.parametrize("text", ["api.box.com", "upload-*.app.box.com"])
    def test_text(self, text):
        """A pattern reads as it was written."""
        assert str(HostPattern.parse(text)) == text


class TestIsLoopback:
    """What stays on this machine, by name or by address."""

    @pytest.mark.parametrize(
        "host",
        ["localhost", "127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1", "::1%lo"],
    )
    def test_this_machine(self, host):
        """Its name, all of 127/8, ::1, and an IPv4 address in IPv6 clothes."""
        assert is_loopback(host)

    @pytest.mark.parametrize(
        "host",
        [
            *("", "0.0.0.0", "::", "192.168.0.1", "::ffff:10.0.0.1", "127.1", "[::1]"),
            *("localhost.evil.test", "127.0.0.1.evil.test", "api.box.com"),
        ],
    )
    def test_another(self, host):
        """Every interface is not loopback, nor is what only begins like it."""
        assert not is_loopback(host)


class TestJoinAuthority:
    """A host and a port as one text."""

    @pytest.mark.parametrize(
        ("host", "port", "text"),
        [("api.box.com", 443, "api.box.com:443"), ("::1", 80, "[::1]:80")],
    )
    def test_reads_back(self, host, port, text):
        """An IPv6 address has brackets, and what was joined splits into the same."""
        assert join_authority(host, port) == text
        assert split_authority(text) == (host, port)


LETTERS = "aA.-_b@: %\uff41\u3002\0/oxBOXcomipAPI"
NEAR = st.one_of(
    st.text(LETTERS, max_size=16),
    st.builds(
        lambda a, b, c: a + b + c,
        st.sampled_from(["", ".", "evil-", "x@", " ", "evil.test/"]),
        st.sampled_from(
            ["api.box.com", "API.box.COM", "\uff41pi.box.com", "api\u3002box.com"]
        ),
        st.sampled_from(["", ".", "..", ":443", ".evil.test", "\0", "/", "%00"]),
    ),
)


@given(NEAR)
@example("API.BOX.COM.")
def test_exact_language(raw):
    """An exact pattern matches its name in any ASCII case with at most one dot more."""
    try:
        host = normalise_host(raw)
    except ValueError:
        return
    expected = raw.lower() in {"api.box.com", "api.box.com."} and raw.isascii()
    assert HostPattern.parse("api.box.com").matches(host) is expected


@given(st.text("upload-.apbxcm1_", max_size=30), st.text("abé1.-\0 @", max_size=6))
@example("upload-las.app.box.com", "")
@example("", "las")
@example("", "a.b")
def test_wildcard_language(text, middle):
    """A wildcard matches head, one or more characters but dots, and tail."""
    pattern = HostPattern.parse("upload-*.app.box.com")
    for raw in (text, f"upload-{middle}.app.box.com"):
        try:
            host = normalise_host(raw)
        except ValueError:
            continue
        label, _, parent = host.partition(".")
        expected = (
            parent == "app.box.com"
            and label.startswith("upload-")
            and len(label) > len("upload-")
        )
        assert pattern.matches(host) is expected


@given(st.text(max_size=40))
def test_normalised_is_stable(raw):
    """Normalising twice is normalising once, and nothing but ValueError is raised."""
    try:
        host = normalise_host(raw)
    except ValueError:
        return
    assert normalise_host(host) == host


@given(st.text(max_size=40))
def test_pattern_is_stable(text):
    """What `parse` accepts reads back as the same pattern; else it is a ValueError."""
    try:
        pattern = HostPattern.parse(text)
    except ValueError:
        return
    assert HostPattern.parse(str(pattern)) == pattern
