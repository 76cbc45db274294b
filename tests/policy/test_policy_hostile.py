"""Requests that try to take a token where it must not go: none is injected."""

from dataclasses import replace

import pytest
from boxlike import LISTENER, REQUEST, REVERSE, RULES, by_listener, plain, request, sent
from boxlike import to as going_to

from everbearer.policy.decide import decide
from everbearer.policy.verdict import Inject, Pass, Refuse

EVIL = "evil.test"
CROSS_SITE = ("cross-site",)


def path(text, **changes):
    """Return a request for another path."""
    return request(path=text, **changes)


HOSTILE = {
    # names that do not agree
    "forged Host": (request(authorities=(EVIL,)), "misdirected"),
    "forged Host to a stranger": (
        going_to(EVIL, authorities=("api.box.com",)),
        "misdirected",
    ),
    "forged Host over plain http": (
        plain(host="127.0.0.1", port=18081),
        "misdirected",
    ),
    "two Host fields, the second forged": (
        request(authorities=("api.box.com", EVIL)),
        "misdirected",
    ),
    "Host forged beside :authority": (
        request(authorities=(EVIL, "api.box.com"), http2=True, server_http2=True),
        "misdirected",
    ),
    "CONNECT to a stranger, SNI of Box": (
        request(connect_name=EVIL, host=EVIL),
        "misdirected",
    ),
    "CONNECT to Box, SNI of a stranger": (
        request(sni=EVIL, verified_name=EVIL),
        "misdirected",
    ),
    "SNI of another ruled host": (
        request(sni="upload.box.com", verified_name="upload.box.com"),
        "misdirected",
    ),
    "CONNECT name alone differs": (request(connect_name=EVIL), "misdirected"),
    "verified name alone differs": (request(verified_name=EVIL), "misdirected"),
    "only the verified name is Box's": (
        going_to(EVIL, verified_name="api.box.com"),
        "misdirected",
    ),
    "only the CONNECT name is Box's": (
        going_to(EVIL, connect_name="api.box.com"),
        "misdirected",
    ),
    "absolute form with another Host": (
        request(connect_name=None, sni=None, authorities=(EVIL,)),
        "misdirected",
    ),
    "absolute form to a stranger on Box's connection": (
        request(host=EVIL),
        "misdirected",
    ),
    "WebSocket upgrade elsewhere": (
        going_to(EVIL, path="/subscribe"),
        "unmatched",
    ),
    "an address and Box's names": (request(host="203.0.113.7"), "misdirected"),
    "an odd address and Box's names": (request(host="0x7f.1"), "invalid_host"),
    "no Host at all": (request(authorities=()), "missing_host"),
    # names that look alike
    "suffixed name": (going_to("api.box.com.evil.test"), "unmatched"),
    "prefixed name": (going_to("evil-api.box.com"), "unmatched"),
    "parent domain": (going_to("box.com"), "unmatched"),
    "wildcard over a dot": (going_to("upload-a.b.app.box.com"), "unmatched"),
    "wildcard of nothing": (going_to("upload-.app.box.com"), "unmatched"),
    "wildcard in another domain": (
        going_to("upload-las.app.box.com.evil.test"),
        "unmatched",
    ),
    "punycode look-alike": (going_to("xn--pi-6kc.box.com"), "unmatched"),
    "Cyrillic look-alike": (going_to("\u0430pi.box.com"), "unmatched"),
    "full-width letters": (going_to("\uff41pi.box.com"), "invalid_host"),
    "ideographic dots": (going_to("api\u3002box\u3002com"), "invalid_host"),
    "soft hyphen": (going_to("api\u00ad.box.com"), "invalid_host"),
    "two trailing dots": (going_to("api.box.com.."), "invalid_host"),
    "user information in Host": (
        request(authorities=("user:pw@api.box.com",)),
        "invalid_host",
    ),
    "Box as user information": (
        request(host="api.box.com@evil.test"),
        "invalid_host",
    ),
    "escape in the name": (request(host="api%2ebox.com"), "invalid_host"),
    "NUL in the name": (request(host="api.box.com\0.evil.test"), "invalid_host"),
    "line break in Host": (
        request(authorities=("api.box.com\r\nX: y",)),
        "invalid_host",
    ),
    "two names in one Host": (
        request(authorities=("api.box.com evil.test",)),
        "invalid_host",
    ),
    "empty SNI": (request(sni=""), "invalid_host"),
    # no protection, other ports
    "plain http": (plain(), "insecure_scheme"),
    "plain http on 443": (plain(port=443), "insecure_scheme"),
    "plain http to the token endpoint": (
        plain(path="/oauth2/token", method="POST"),
        "insecure_scheme",
    ),
    "unknown scheme": (request(scheme="HTTPS"), "insecure_scheme"),
    "https on port 80": (request(port=80), "wrong_port"),
    "https on port 8443": (request(port=8443), "wrong_port"),
    "another port in Host": (request(authorities=("api.box.com:8443",)), "wrong_port"),
    "port 80 in Host": (request(authorities=("api.box.com:80",)), "wrong_port"),
    "ssl_insecure": (request(upstream_verified=False), "upstream_unverified"),
    "no name verified": (request(verified_name=""), "upstream_unverified"),
    # paths to what is excluded
    "token endpoint": (path("/oauth2/token", method="POST"), "passed_by_rule"),
    "revoke endpoint": (path("/oauth2/revoke", method="POST"), "passed_by_rule"),
    "dot segments": (path("/2.0/../oauth2/token"), "passed_by_rule"),
    "encoded dots": (path("/2.0/%2e%2E/oauth2/token"), "passed_by_rule"),
    "half encoded dots": (path("/2.0/.%2e/oauth2/token"), "passed_by_rule"),
    "encoded slash": (path("/2.0/..%2foauth2/token"), "passed_by_rule"),
    "twice encoded": (path("/2.0/%252e%252e%252foauth2/token"), "passed_by_rule"),
    "backslashes": (path("/2.0\\..\\oauth2\\token"), "passed_by_rule"),
    "encoded backslash": (path("/2.0/..%5coauth2/token"), "passed_by_rule"),
    "path parameters": (path("/2.0/..;a=b/oauth2/token"), "passed_by_rule"),
    "empty segment": (path("//oauth2/token"), "passed_by_rule"),
    "empty segment before dots": (path("/2.0//../oauth2/token"), "passed_by_rule"),
    "upper case": (path("/OAUTH2/Token"), "passed_by_rule"),
    "encoded letters": (path("/%6fauth2/token"), "passed_by_rule"),
    "out of the API": (path("/2.0/%2e%2e/internal"), "ambiguous_path"),
    "out of the API, encoded slash": (path("/2.0/..%2finternal"), "ambiguous_path"),
    "overlong UTF-8": (path("/2.0/%c0%ae%c0%ae/oauth2/token"), "invalid_path"),
    "NUL in the path": (path("/2.0/x%00/y"), "invalid_path"),
    "line break in the path": (path("/2.0/x\r\nHost: evil.test"), "invalid_path"),
    "space in the path": (path("/2.0/x HTTP/1.1"), "invalid_path"),
    "%u escapes": (path("/2.0/%u002e%u002e/oauth2/token"), "invalid_path"),
    "absolute URL as path": (path("https://evil.test/2.0/x"), "invalid_path"),
    "authority as path": (path("evil.test:443", method="CONNECT"), "invalid_path"),
    "asterisk without OPTIONS": (path("*"), "invalid_path"),
    "signed download": (
        going_to("dl.boxcloud.com", path="/d/1/x/download"),
        "passed_by_rule",
    ),
    "zip download": (
        going_to("dl.boxcloud.com", path="/2.0/zip_downloads/1/content"),
        "no_rule",
    ),
    "redirected elsewhere": (
        going_to("public.boxcloud.com", path="/api/2.0/internal_files/1"),
        "unmatched",
    ),
    "the path of another host": (going_to("upload.box.com"), "no_rule"),
    "lower case method of a refusal": (
        request(method="delete", path="/2.0/users/1"),
        "refused_by_rule",
    ),
    # web pages
    "page": (request(origins=("https://evil.test",)), "browser_request"),
    "page without Origin": (request(sec_fetch_site=CROSS_SITE), "browser_request"),
    "page of Box itself": (
        request(sec_fetch_site=("same-origin",)),
        "browser_request",
    ),
    "sandboxed frame": (request(origins=("null",)), "browser_request"),
    "a trusted and another Origin": (
        request(origins=("https://tools.example", "https://evil.test")),
        "browser_request",
    ),
    "page that hides behind none": (
        request(sec_fetch_site=("none", "cross-site")),
        "browser_request",
    ),
    "preflight": (
        request(
            method="OPTIONS", origins=("https://tools.example",), cors_preflight=True
        ),
        "cors_preflight",
    ),
    # reverse listeners
    "listener, foreign Host": (by_listener(authorities=(EVIL,)), "misdirected"),
    "listener, rebound name": (
        by_listener(authorities=("evil.test:8082",)),
        "misdirected",
    ),
    "listener, Host of Box": (
        by_listener(authorities=("api.box.com",)),
        "misdirected",
    ),
    "listener, another port": (
        by_listener(authorities=("127.0.0.1:9",)),
        "misdirected",
    ),
    "listener, no port": (by_listener(authorities=("127.0.0.1",)), "misdirected"),
    "listener, two own names": (
        by_listener(authorities=("127.0.0.1:8082", "localhost:8082")),
        "misdirected",
    ),
    "listener, no Host": (by_listener(authorities=()), "missing_host"),
    "listener, SNI of a stranger": (by_listener(sni=EVIL), "misdirected"),
    "listener, CONNECT through it": (
        by_listener(connect_name="api.box.com"),
        "misdirected",
    ),
    "listener, sent elsewhere": (
        by_listener(host=EVIL, verified_name=EVIL),
        "misdirected",
    ),
    "listener, verified elsewhere": (by_listener(verified_name=EVIL), "misdirected"),
    "listener, illegible target": (
        by_listener(listener=replace(LISTENER, reverse="api.box.com..")),
        "invalid_host",
    ),
    "listener, plain http": (by_listener(scheme="http", port=80), "insecure_scheme"),
    "listener, another server port": (by_listener(port=8443), "wrong_port"),
    "listener, page": (by_listener(origins=("https://evil.test",)), "browser_request"),
    "listener, page with a token": (
        by_listener(origins=("https://evil.test",), authorization=sent("FOREIGN")),
        "browser_request",
    ),
    "listener, page without Origin": (
        by_listener(sec_fetch_site=CROSS_SITE),
        "browser_request",
    ),
    "listener, page with a query token": (
        by_listener(sec_fetch_site=CROSS_SITE, query_token=True),
        "browser_request",
    ),
    "listener, preflight": (
        by_listener(
            method="OPTIONS", origins=("https://evil.test",), cors_preflight=True
        ),
        "browser_request",
    ),
    # profiles and credentials
    "profile of no rule": (request(profile_fields=("other",)), "profile_not_allowed"),
    "profile of another's listener": (
        by_listener(
            listener=replace(LISTENER, profile="dev"), profile_fields=("prod",)
        ),
        "profile_contradiction",
    ),
    "acting as somebody else": (
        request(profile_fields=("prod",), as_user=("99",)),
        "as_user_conflict",
    ),
    "acting as two": (
        request(profile_fields=("prod",), as_user=("1234", "99")),
        "as_user_conflict",
    ),
    "two Authorization fields": (
        request(authorization=sent("SEVERAL")),
        "several_authorizations",
    ),
    "two Authorization fields at the token endpoint": (
        path("/oauth2/token", authorization=sent("SEVERAL")),
        "several_authorizations",
    ),
    # framing
    "unframed HTTP/2 body": (
        request(method="POST", http2=True, body_length=None),
        "length_required",
    ),
    "unframed HTTP/2 body to a stranger": (
        going_to(EVIL, method="POST", http2=True, body_length=None),
        "length_required",
    ),
    "trailers": (request(method="POST", trailers=True), "trailers"),
    "trailers to a stranger": (going_to(EVIL, trailers=True), "trailers"),
    "trailers from HTTP/1 to HTTP/2": (
        request(trailers=True, server_http2=True),
        "trailers",
    ),
}


@pytest.mark.parametrize(("view", "code"), HOSTILE.values(), ids=HOSTILE)
def test_hostile(view, code):
    """No token goes out, and the reason is the one expected."""
    verdict = decide(view, RULES)
    assert not isinstance(verdict, Inject)
    assert verdict.code == code
    assert verdict.reason


@pytest.mark.parametrize("view", [REQUEST, REVERSE], ids=["explicit", "reverse"])
def test_what_they_are_made_of_is_injected(view):
    """Without its one hostile change each request would carry a token."""
    assert decide(view, RULES) == Inject(
        "dev", "missing", "the request has no credential", "box:api"
    )


STATUS = {
    "trailers": 501,
    "length_required": 411,
    "misdirected": 421,
    "wrong_port": 421,
    "upstream_unverified": 500,
    "insecure_scheme": 403,
    "browser_request": 403,
    "refused_by_rule": 403,
    "profile_not_allowed": 403,
    "profile_contradiction": 403,
    "as_user_conflict": 403,
    "invalid_host": 400,
    "missing_host": 400,
    "invalid_path": 400,
    "ambiguous_path": 400,
    "several_authorizations": 400,
}


def test_refusals_say_what_to_do():
    """Each refusal has its status and a hint, and repeats nothing secret."""
    seen = set()
    for view, _ in HOSTILE.values():
        verdict = decide(view, RULES)
        if isinstance(verdict, Refuse):
            seen.add(verdict.code)
            assert verdict.status == STATUS[verdict.code]
            assert verdict.hint
            assert "pw" not in verdict.reason + verdict.hint
    assert seen == set(STATUS)


@pytest.mark.parametrize(
    "name", ["\uff41pi.box.com", "api\u3002box.com", "\uff41pi.box.com:443"]
)
def test_ascii_spelling_is_told(name):
    """A ruled host in other than ASCII is answered with its ASCII spelling."""
    verdict = decide(request(authorities=(name,)), RULES)
    assert isinstance(verdict, Refuse)
    assert verdict.hint == 'use "api.box.com"'


def test_token_requests_are_private():
    """Every way to the token endpoint is marked, so that its body is never kept."""
    for name in ("token endpoint", "dot segments", "encoded slash", "upper case"):
        verdict = decide(HOSTILE[name][0], RULES)
        assert isinstance(verdict, Pass)
        assert verdict.private
    signed = decide(HOSTILE["signed download"][0], RULES)
    assert isinstance(signed, Pass)
    assert not signed.private
