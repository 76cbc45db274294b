"""Hostile requests that go, or would have a token go, to another server or port."""

from __future__ import annotations

from typing import Final

from hostile_row import API, absolute, request, tunnel

ELSEWHERE: Final = (
    tunnel("forged Host", "evil.test:443", sni="evil.test", answer="200 wrong"),
    tunnel("forged Host, no SNI", "evil.test:443", sni="", answer="200 wrong"),
    tunnel("forged Host, no TLS", "evil.test:80", sni=None, answer="200 wrong"),
    tunnel("forged Host and SNI", "evil.test:443", answer="421 misdirected"),
    tunnel(
        "SNI of another",
        "api.box.com:443",
        sni="evil.test",
        answer="421 misdirected",
        leaks=False,  # the sandbox's certificate is not evil.test's
    ),
    tunnel(
        "Host of another",
        "api.box.com:443",
        request(host="evil.test"),
        answer="421 misdirected",
    ),
    tunnel(
        "Host and SNI of another",
        "api.box.com:443",
        request(host="evil.test"),
        sni="evil.test",
        answer="421 misdirected",
        leaks=False,  # as above
    ),
    tunnel(
        "a forged Host in the CONNECT",
        "evil.test:443",
        request(host="evil.test"),
        connect_fields=("Host: api.box.com:443",),
        sni="evil.test",
        answer="200 wrong",
        leaks=False,  # what follows names nothing of Box
    ),
    tunnel(
        "another Host in the CONNECT",
        "api.box.com:443",
        connect_fields=("Host: evil.test:443",),
        answer="200 box",
        token=True,
        leaks=False,
    ),
    tunnel(
        "absolute form in a tunnel, of another",
        "api.box.com:443",
        request("https://evil.test/2.0/users/me"),
        answer="421 misdirected",
    ),
    tunnel(
        "absolute form in a tunnel to another",
        "evil.test:443",
        request("https://api.box.com/2.0/users/me"),
        sni="evil.test",
        answer="200 wrong",
    ),
    tunnel(
        "second request of a tunnel",
        "api.box.com:443",
        request(),
        request(host="evil.test"),
        answer="421 misdirected",
        token=True,
    ),
    absolute(
        "another Host, https",
        request("https://api.box.com/2.0/users/me", "evil.test"),
        answer="421 misdirected",
    ),
    absolute(
        "another Host, http",
        request("http://api.box.com/2.0/users/me", "evil.test"),
        answer="421 misdirected",
    ),
    absolute(
        "forged Host, https",
        request("https://evil.test/2.0/users/me"),
        answer="421 misdirected",
    ),
    absolute(
        "forged Host, http",
        request("http://evil.test/2.0/users/me"),
        answer="421 misdirected",
    ),
    absolute(
        "second request of a connection",
        request("https://api.box.com/2.0/users/me"),
        request("https://evil.test/2.0/users/me", "evil.test"),
        answer="200 wrong",
        token=True,
        leaks=False,  # the second names nothing of Box
    ),
    absolute(
        "second request of a connection, forged",
        request("https://api.box.com/2.0/users/me"),
        request("https://evil.test/2.0/users/me"),
        answer="421 misdirected",
        token=True,
    ),
    absolute(
        "WebSocket elsewhere",
        request(
            "http://evil.test/2.0/events",
            API,
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ),
        answer="421 misdirected",
    ),
    tunnel(
        "WebSocket elsewhere in a tunnel",
        "evil.test:443",
        request(
            "/2.0/events",
            API,
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ),
        answer="421 misdirected",
    ),
)

NOT_THE_SERVER: Final = (
    absolute(
        "plain http",
        request("http://api.box.com/2.0/users/me"),
        answer="403 insecure_scheme",
    ),
    tunnel(
        "plain http in a tunnel",
        "api.box.com:80",
        sni=None,
        answer="403 insecure_scheme",
    ),
    tunnel(
        "plain http in a tunnel to 443",
        "api.box.com:443",
        sni=None,
        answer="403 insecure_scheme",
        leaks=False,  # a TLS server reads no plain text
    ),
    tunnel("TLS to port 80", "api.box.com:80", answer="421 wrong_port"),
    tunnel("port 8443", "api.box.com:8443", answer="421 wrong_port"),
    tunnel(
        "port 8443, Host too",
        "api.box.com:8443",
        request(host="api.box.com:8443"),
        answer="421 wrong_port",
    ),
    absolute(
        "port 8443, absolute",
        request("https://api.box.com:8443/2.0/users/me", "api.box.com:8443"),
        answer="421 wrong_port",
    ),
    absolute(
        "port 80, absolute",
        request("https://api.box.com:80/2.0/users/me"),
        answer="421 wrong_port",
    ),
    tunnel(
        "Host with another port",
        "api.box.com:443",
        request(host="api.box.com:8443"),
        answer="421 wrong_port",
    ),
    tunnel(
        "Host with its port",
        "api.box.com:443",
        request(host="api.box.com:443"),
        answer="200 box",
        token=True,
        leaks=False,
    ),
)
