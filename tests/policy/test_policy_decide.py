"""The decision for honest requests: every reason to inject, pass or refuse."""

from dataclasses import replace

import pytest
from boxlike import (
    API,
    LISTENER,
    REQUEST,
    RULES,
    TOKEN_ENDPOINT,
    UPLOAD,
    by_listener,
    plain,
    replace_rules,
    request,
    rule,
    sent,
    to,
)

from everbearer.policy.decide import decide
from everbearer.policy.rules import Action
from everbearer.policy.verdict import Inject, Pass, Refuse
from everbearer.policy.view import Existing, ListenerView

KINDS = [kind.name for kind in Existing]


class TestInjected:
    """Requests that carry a token."""

    @pytest.mark.parametrize(
        "view",
        [
            REQUEST,
            to("API.Box.com."),
            request(host="API.BOX.COM", authorities=("api.box.com:443",)),
            request(authorities=("api.box.com", "API.box.com:443")),
            request(connect_name=None, sni=None),
            request(path="/2.0"),
            request(path="/2.0/files/a%20b"),
            request(path="/2.0/search;v=1"),
            request(method="OPTIONS", path="/2.0/events"),
            request(method="OPTIONS", path="/2.0/files/content"),
            request(sec_fetch_site=("none",)),
            request(body_length=None),
            request(http2=True, body_length=10),
            request(http2=True, server_http2=True, body_length=None, trailers=True),
            request(as_user=("99",)),
        ],
    )
    def test_api(self, view):
        """Spellings that agree, OPTIONS, escapes and framed bodies are served."""
        verdict = decide(view, RULES)
        assert isinstance(verdict, Inject)
        assert (verdict.profile, verdict.rule) == ("dev", "box:api")

    @pytest.mark.parametrize(
        ("host", "path"),
        [
            ("upload.box.com", "/api/2.0/files/content"),
            ("upload.app.box.com", "/api/2.0/files/content"),
            ("upload-las.app.box.com", "/api/2.0/files/upload_sessions/1"),
            ("dl.boxcloud.com", "/api/2.0/internal_files/1/content"),
        ],
    )
    def test_other_hosts(self, host, path):
        """Each ruled host has its own paths."""
        assert isinstance(decide(to(host, path=path), RULES), Inject)

    def test_options_asterisk(self):
        """OPTIONS of the server itself is served by a rule for all paths."""
        rules = replace_rules(rule("all", ["api.box.com"], profiles=("dev",)))
        verdict = decide(request(method="OPTIONS", path="*"), rules)
        assert isinstance(verdict, Inject)


class TestReverse:
    """Reverse listeners answer to their own names."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"authorities": ("localhost:8082",)},
            {"authorities": ("LOCALHOST:8082",)},
            {"authorities": ("[::1]:8082",)},
            {"authorities": ("127.0.0.1:8082", "127.0.0.1:8082")},
            {"authorities": ("localhost:8082",), "sni": "localhost"},
        ],
    )
    def test_own_names(self, changes):
        """Every spelling of its own address is served."""
        assert isinstance(decide(by_listener(**changes), RULES), Inject)

    @pytest.mark.parametrize(
        ("own", "sni", "injected"),
        [
            ("localhost:80", None, True),
            ("localhost:443", None, False),
            ("localhost:443", "localhost", True),
            ("localhost:80", "localhost", False),
        ],
    )
    def test_default_port(self, own, sni, injected):
        """A Host without a port means that of the scheme the client speaks."""
        listener = replace(LISTENER, own_authorities=frozenset({own}))
        view = by_listener(listener=listener, authorities=("localhost",), sni=sni)
        assert isinstance(decide(view, RULES), Inject) is injected

    def test_misdirected_says_whither(self):
        """The refusal names what was asked and what is stood for."""
        verdict = decide(by_listener(authorities=("evil.test:8082",)), RULES)
        assert verdict.reason == (
            "the request goes to api.box.com and names evil.test:8082"
        )

    def test_unmatched(self):
        """A listener for a host without rules passes, without a token."""
        listener = replace(LISTENER, reverse="other.example")
        view = to("other.example", listener=listener)
        assert decide(view, RULES).code == "unmatched"


class TestNoServer:
    """The explicit proxy, taken for a server."""

    OWN = ListenerView(
        "127.0.0.1:8080",
        own_authorities=frozenset({"127.0.0.1:8080", "localhost:8080"}),
    )
    OWN_6 = ListenerView("[::1]:8080", own_authorities=frozenset({"[::1]:8080"}))

    @pytest.mark.parametrize(
        "view",
        [
            request(direct=True, listener=OWN),
            to("example.com", direct=True, listener=OWN),
            plain(host="127.0.0.1", port=8080, listener=OWN),
            plain(host="LOCALHOST", port=8080, listener=OWN),
            to("localhost", port=8080, listener=OWN),
            plain(host="::1", port=8080, listener=OWN_6),
        ],
    )
    def test_refused(self, view):
        """421 for ruled hosts and others, and the two ways out."""
        verdict = decide(view, RULES)
        assert isinstance(verdict, Refuse)
        assert (verdict.status, verdict.code) == (421, "proxy_is_no_server")
        assert verdict.reason.startswith(f"{view.listener.address} is a proxy")
        assert f"curl -x http://{view.listener.address} " in verdict.hint
        assert "[[listeners]]" in verdict.hint

    def test_other_ports(self):
        """What else listens on this machine is none of ours."""
        there = ("127.0.0.1:8081",)
        view = to("127.0.0.1", port=8081, authorities=there, listener=self.OWN)
        assert decide(view, RULES).code == "unmatched"


class TestUnmatched:
    """Hosts that no rule names."""

    @pytest.mark.parametrize("unmatched", ["tunnel", "inspect"])
    @pytest.mark.parametrize(
        "view",
        [
            to("example.com"),
            to("b\u00fccher.example"),
            to("127.1"),
            to("not a name"),
            plain(host="example.com", authorities=("example.com:8080",)),
            to("example.com", authorities=()),
            to("example.com", path="no path", authorization=sent("SEVERAL")),
        ],
    )
    def test_pass(self, view, unmatched):
        """They go out as they are, however odd."""
        rules = replace_rules(API, unmatched=unmatched)
        assert decide(view, rules) == Pass("unmatched", "no rule names this host")

    @pytest.mark.parametrize("unmatched", ["refuse", "", "Tunnel"])
    def test_refuse(self, unmatched):
        """With `refuse`, or anything that nobody knows, they do not go out."""
        verdict = decide(to("example.com"), replace_rules(API, unmatched=unmatched))
        assert isinstance(verdict, Refuse)
        assert (verdict.status, verdict.code) == (403, "unmatched_refused")


class TestRules:
    """Which rule is for a request."""

    @pytest.mark.parametrize("path", ["/", "/other", "/2.1/users"])
    def test_none(self, path):
        """A ruled host has paths without a rule, which pass without a token."""
        assert decide(request(path=path), RULES).code == "no_rule"

    @pytest.mark.parametrize(
        ("path", "private"),
        [
            ("/api/oauth2/token", True),
            ("/x/OAuth2/Revoke", True),
            ("/x/oauth2/%74oken", True),
            ("/x/oauth2/tokens", False),
            ("/other", False),
        ],
    )
    def test_none_for_a_token_endpoint(self, path, private):
        """What looks like one is private in any reading, whoever answers there."""
        verdict = decide(request(path=path), RULES)
        assert isinstance(verdict, Pass)
        assert (verdict.code, verdict.private) == ("no_rule", private)

    def test_method(self):
        """A rule for some methods leaves the others alone."""
        reading = replace(API, methods=frozenset({"GET"}))
        rules = replace_rules(reading)
        assert isinstance(decide(request(), rules), Inject)
        assert decide(request(method="POST"), rules).code == "no_rule"

    def test_refuse(self):
        """A rule that refuses says which it is."""
        verdict = decide(request(method="DELETE", path="/2.0/users/1"), RULES)
        assert isinstance(verdict, Refuse)
        assert (verdict.code, verdict.rule) == ("refused_by_rule", "user:1")

    def test_order(self):
        """The first rule that matches decides."""
        passing = replace(API, label="pass", action=Action.PASS)
        assert isinstance(decide(request(), replace_rules(API, passing)), Inject)
        assert isinstance(decide(request(), replace_rules(passing, API)), Pass)

    def test_refusing_reading_wins(self):
        """Of readings that lead to different rules, one that refuses is enough."""
        never = rule("never", ["api.box.com"], ["/2.0/x/*"], action=Action.REFUSE)
        rules = replace_rules(TOKEN_ENDPOINT, never, API)
        verdict = decide(request(path="/2.0/%78/../../oauth2/x"), rules)
        assert verdict.code == "refused_by_rule"

    def test_ambiguous_between_injecting_rules(self):
        """Two injecting rules for two readings are not chosen between."""
        users = rule("users", ["api.box.com"], ["/2.0/users/*"], profiles=("prod",))
        rules = replace_rules(users, API)
        view = request(path="/2.0/users/../files/1")
        assert decide(view, rules).code == "ambiguous_path"

    def test_private_of_any_reading(self):
        """A pass is private if any reading leads to a private rule."""
        files = rule("files", ["api.box.com"], ["/files/*"], action=Action.PASS)
        rules = replace_rules(files, TOKEN_ENDPOINT)
        verdict = decide(request(path="/files/../oauth2/token"), rules)
        assert (verdict.rule, verdict.private) == ("files", True)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "SEVERAL"])
def test_exclusions_do_not_look_at_credentials(kind):
    """At the token endpoint the client's credential is its own, whatever it is."""
    view = request(path="/oauth2/token", authorization=sent(kind))
    verdict = decide(view, RULES)
    assert isinstance(verdict, Pass)
    assert (verdict.code, verdict.private) == ("passed_by_rule", True)


def test_upload_has_its_own_profile():
    """A profile that one rule allows is not thereby allowed by another."""
    view = to("upload.box.com", path="/api/2.0/files/content", profile_fields=("prod",))
    verdict = decide(view, RULES)
    assert isinstance(verdict, Refuse)
    assert (verdict.code, verdict.rule) == ("profile_not_allowed", UPLOAD.label)
