"""Hostile requests to a reverse listener."""

from __future__ import annotations

from typing import Final

from hostile_row import ME, absolute, request, reverse

REVERSE: Final = (
    reverse(
        "reverse: its own name",
        request(host="127.0.0.1:{reverse}"),
        answer="200 box",
        token=True,
        leaks=False,
    ),
    reverse(
        "reverse: localhost",
        request(host="LocalHost:{reverse}"),
        answer="200 box",
        token=True,
        leaks=False,
    ),
    reverse(
        "reverse: foreign Host", request(host="evil.test"), answer="421 misdirected"
    ),
    reverse(
        "reverse: foreign Host with its port",
        request(host="evil.test:{reverse}"),
        answer="421 misdirected",
    ),
    reverse(
        "reverse: another port",
        request(host="127.0.0.1:{wrong}"),
        answer="421 misdirected",
    ),
    reverse("reverse: no port", request(host="127.0.0.1"), answer="421 misdirected"),
    reverse("reverse: the server's name", request(), answer="421 misdirected"),
    reverse(
        "reverse: no Host",
        request(ME, None, version="1.0"),
        answer="400 missing_host",
    ),
    reverse(
        "reverse: foreign Origin",
        request(ME, "127.0.0.1:{reverse}", "Origin: https://evil.test"),
        answer="403 browser_request",
    ),
    reverse(
        "reverse: its own Origin",
        request(ME, "127.0.0.1:{reverse}", "Origin: http://127.0.0.1:{reverse}"),
        answer="403 browser_request",
    ),
    reverse(
        "reverse: cross-site",
        request(ME, "127.0.0.1:{reverse}", "Sec-Fetch-Site: cross-site"),
        answer="403 browser_request",
    ),
    reverse(
        "reverse: same-origin",
        request(ME, "127.0.0.1:{reverse}", "Sec-Fetch-Site: same-origin"),
        answer="403 browser_request",
    ),
    reverse(
        "reverse: CORS preflight",
        request(
            ME,
            "127.0.0.1:{reverse}",
            "Origin: https://evil.test",
            "Access-Control-Request-Method: GET",
            method="OPTIONS",
        ),
        answer="403 browser_request",
    ),
    reverse(
        "reverse: absolute form",
        request("https://evil.test/2.0/users/me", "127.0.0.1:{reverse}"),
        answer="421 misdirected",
    ),
    reverse(
        "reverse: CONNECT",
        request("evil.test:443", "127.0.0.1:{reverse}", method="CONNECT"),
        answer="400 mitmproxy",
        leaks=False,
    ),
    reverse(
        "reverse: foreign SNI",
        request(host="127.0.0.1:{reverse}"),
        sni="evil.test",
        answer="421 misdirected",
    ),
    absolute(
        "the reverse listener by the proxy, forged",
        request("http://127.0.0.1:{reverse}/2.0/users/me"),
        answer="421 misdirected",
        leaks=False,  # mitmproxy itself does not dial where it listens
    ),
    absolute(
        "the proxy by itself, forged",
        request("http://127.0.0.1:{proxy}/2.0/users/me"),
        answer="421 proxy_is_no_server",
        leaks=False,  # nothing but the proxy would see it
    ),
)
