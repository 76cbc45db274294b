"""The decision by who asks: web pages, profiles, credentials of the client."""

from dataclasses import replace

import pytest
from boxlike import (
    API,
    BOTH,
    LISTENER,
    REQUEST,
    RULES,
    TRUSTED,
    by_listener,
    replace_rules,
    request,
    sent,
    with_existing,
)

from everbearer.policy.decide import decide
from everbearer.policy.rules import RuleSet
from everbearer.policy.verdict import Inject, Pass, Refuse


class TestBrowser:
    """Web pages, trusted or not."""

    @pytest.mark.parametrize("origin", [TRUSTED, TRUSTED.upper()])
    @pytest.mark.parametrize("view", [REQUEST, by_listener()])
    def test_trusted(self, view, origin):
        """A page whose origin is named gets a token, whatever its site."""
        page = replace(view, origins=(origin,), sec_fetch_site=("cross-site",))
        assert isinstance(decide(page, RULES), Inject)

    def test_trusted_in_upper_case(self):
        """Origins are compared without regard to case on either side."""
        rules = replace_rules(API, browser_origins=frozenset({TRUSTED.upper()}))
        assert isinstance(decide(request(origins=(TRUSTED,)), rules), Inject)

    def test_null_cannot_be_trusted(self):
        """The origin "null" is anybody's, even where it is named."""
        rules = replace_rules(API, browser_origins=frozenset({"null"}))
        verdict = decide(request(origins=("null",)), rules)
        assert verdict.code == "browser_request"

    @pytest.mark.parametrize(
        "own", [{"authorization": sent("FOREIGN")}, {"query_token": True}]
    )
    @pytest.mark.parametrize("policy", ["FILL", "HEAL", "REPLACE", "KEEP"])
    def test_own_token_of_a_page(self, own, policy):
        """A page's own token goes out through the explicit proxy, and stays its own."""
        view = request(origins=("https://app.example",), **own)
        verdict = decide(view, with_existing(policy))
        assert isinstance(verdict, Pass)
        assert (verdict.code, verdict.heal) == ("browser", None)

    @pytest.mark.parametrize("kind", ["OURS", "PLACEHOLDER", "REDACTED", "EMPTY"])
    def test_no_own_token_of_a_page(self, kind):
        """What would be filled for a tool is refused to a page."""
        view = request(origins=("https://app.example",), authorization=sent(kind))
        verdict = decide(view, RULES)
        assert isinstance(verdict, Refuse)
        assert verdict.code == "browser_request"
        assert "browser_origins" in verdict.hint

    def test_preflight(self):
        """A preflight passes without a token; by a listener only a trusted one."""
        changes = {"method": "OPTIONS", "cors_preflight": True}
        anybody = {**changes, "origins": ("https://app.example",)}
        trusted = {**changes, "origins": (TRUSTED,)}
        assert decide(request(**anybody), RULES).code == "cors_preflight"
        assert decide(by_listener(**trusted), RULES).code == "cors_preflight"
        assert decide(by_listener(**anybody), RULES).code == "browser_request"
        assert decide(by_listener(**changes), RULES).code == "browser_request"


def _bound(profile):
    return replace(LISTENER, reverse="", profile=profile)


class TestProfile:
    """Which profile serves."""

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, "dev"),
            ({"profile_fields": ("prod",)}, "prod"),
            ({"profile_fields": (" prod ", "prod")}, "prod"),
            ({"listener": _bound("prod")}, "prod"),
            ({"listener": _bound("prod"), "profile_fields": ("prod",)}, "prod"),
        ],
    )
    def test_chosen(self, changes, expected):
        """The listener's, else the one asked for, else the default."""
        verdict = decide(request(**changes), RULES)
        assert isinstance(verdict, Inject)
        assert verdict.profile == expected

    def test_only_one(self):
        """Without a default among them, the only profile of a rule serves."""
        prod = replace(API, profiles=("prod",))
        verdict = decide(request(), replace_rules(prod))
        assert isinstance(verdict, Inject)
        assert verdict.profile == "prod"

    def test_no_default(self):
        """Several profiles without a default are not chosen between."""
        rules = RuleSet(rules=(API,), profiles=BOTH)
        verdict = decide(request(), rules)
        assert isinstance(verdict, Refuse)
        assert (verdict.status, verdict.code) == (400, "profile_ambiguous")

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"profile_fields": ("dev", "prod")}, 400, "profile_ambiguous"),
            ({"profile_fields": ("dev", "none")}, 400, "profile_ambiguous"),
            ({"profile_fields": ("nobody",)}, 400, "profile_unknown"),
            ({"profile_fields": ("DEV",)}, 400, "profile_unknown"),
            ({"profile_fields": ("None",)}, 400, "profile_unknown"),
            ({"profile_fields": ("dev, prod",)}, 400, "profile_unknown"),
            ({"profile_fields": ("",)}, 400, "profile_unknown"),
            ({"profile_fields": (" ",)}, 400, "profile_unknown"),
            ({"profile_fields": ("other",)}, 403, "profile_not_allowed"),
            ({"listener": _bound("other")}, 403, "profile_not_allowed"),
            (
                {"listener": _bound("prod"), "profile_fields": ("dev",)},
                403,
                "profile_contradiction",
            ),
        ],
    )
    def test_refused(self, changes, status, code):
        """What is asked for must be one known name that the rule allows."""
        verdict = decide(request(**changes), RULES)
        assert isinstance(verdict, Refuse)
        assert (verdict.status, verdict.code) == (status, code)
        assert verdict.hint == "send Everbearer-Profile with one of: dev, prod, none"

    @pytest.mark.parametrize(
        ("asked", "shown"),
        [
            ("nobody", "'nobody'"),
            ("", "''"),
            ("\x1b[2Jb\u00fc", r"'\x1b[2Jb\xfc'"),
            ("x" * 1000, f"'{'x' * 40}...'"),
        ],
    )
    def test_unknown_is_named(self, asked, shown):
        """The refusal says what was asked for, short and nothing but printable."""
        verdict = decide(request(profile_fields=(asked,)), RULES)
        assert verdict.reason == f"Everbearer-Profile: {shown} names no profile"

    @pytest.mark.parametrize("listener", [REQUEST.listener, _bound("prod")])
    def test_none(self, listener):
        """A client may always ask for no credential."""
        view = request(profile_fields=("none",), listener=listener)
        verdict = decide(view, RULES)
        assert isinstance(verdict, Pass)
        assert verdict.code == "profile_none"


class TestExisting:
    """The client's own credential, under each policy."""

    @pytest.mark.parametrize(
        ("policy", "kind", "code"),
        [
            ("FILL", "NONE", "inject missing"),
            ("FILL", "EMPTY", "inject empty"),
            ("FILL", "PLACEHOLDER", "inject placeholder"),
            ("FILL", "REDACTED", "inject redacted"),
            ("FILL", "OURS", "inject ours"),
            ("FILL", "FOREIGN", "pass client_token"),
            ("HEAL", "NONE", "inject missing"),
            ("HEAL", "EMPTY", "inject empty"),
            ("HEAL", "PLACEHOLDER", "inject placeholder"),
            ("HEAL", "REDACTED", "inject redacted"),
            ("HEAL", "OURS", "inject ours"),
            ("HEAL", "FOREIGN", "pass client_token"),
            ("REPLACE", "NONE", "inject missing"),
            ("REPLACE", "EMPTY", "inject empty"),
            ("REPLACE", "PLACEHOLDER", "inject placeholder"),
            ("REPLACE", "REDACTED", "inject redacted"),
            ("REPLACE", "OURS", "inject ours"),
            ("REPLACE", "FOREIGN", "inject replaced"),
            ("KEEP", "NONE", "inject missing"),
            ("KEEP", "EMPTY", "inject empty"),
            ("KEEP", "PLACEHOLDER", "pass client_token"),
            ("KEEP", "REDACTED", "refuse redacted_token"),
            ("KEEP", "OURS", "pass client_token"),
            ("KEEP", "FOREIGN", "pass client_token"),
            *((policy, "SEVERAL", "refuse several_authorizations")
              for policy in ("FILL", "HEAL", "REPLACE", "KEEP")),
        ],
    )  # fmt: skip
    def test_kinds(self, policy, kind, code):
        """Each policy does with each kind what the design says."""
        view = request(authorization=sent(kind))
        verdict = decide(view, with_existing(policy))
        assert f"{type(verdict).__name__.lower()} {verdict.code}" == code

    @pytest.mark.parametrize(
        ("policy", "code"),
        [
            ("FILL", "pass client_token"),
            ("HEAL", "pass client_token"),
            ("REPLACE", "inject replaced"),
            ("KEEP", "pass client_token"),
        ],
    )
    @pytest.mark.parametrize("kind", ["NONE", "PLACEHOLDER", "OURS"])
    def test_query_token(self, policy, kind, code):
        """A token in the query is the client's own, whatever the field holds."""
        view = request(query_token=True, authorization=sent(kind))
        verdict = decide(view, with_existing(policy))
        assert f"{type(verdict).__name__.lower()} {verdict.code}" == code

    @pytest.mark.parametrize(
        ("policy", "code"),
        [
            ("FILL", "pass client_token"),
            ("HEAL", "pass client_token"),
            ("REPLACE", "inject replaced"),
            ("KEEP", "pass client_token"),
        ],
    )
    def test_ours_for_another_profile(self, policy, code):
        """A token of ours is another user's where another profile serves."""
        view = request(authorization=sent("OURS"), profile_fields=("prod",))
        verdict = decide(view, with_existing(policy))
        assert f"{type(verdict).__name__.lower()} {verdict.code}" == code

    @pytest.mark.parametrize(
        ("policy", "heal"),
        [("FILL", "dev"), ("HEAL", "dev"), ("KEEP", None)],
    )
    def test_redeemed_by_the_client(self, policy, heal):
        """What a client got by our refresh token is its own, and heals under fill."""
        view = request(authorization=sent("FOREIGN", redeemed_for=["dev"]))
        verdict = decide(view, with_existing(policy))
        assert isinstance(verdict, Pass)
        assert (verdict.code, verdict.heal) == ("client_token", heal)

    @pytest.mark.parametrize(
        "other", [{"profile_fields": ("prod",)}, {"query_token": True}]
    )
    def test_redeemed_for_another(self, other):
        """Under fill it is healed by no other profile, nor is another token by it."""
        view = request(authorization=sent("FOREIGN", redeemed_for=["dev"]), **other)
        verdict = decide(view, with_existing("FILL"))
        assert isinstance(verdict, Pass)
        assert verdict.heal is None

    def test_redeemed_and_rejected(self):
        """Once the server has refused it, ours goes in its place at once."""
        own = sent("FOREIGN", redeemed_for=["dev"], rejected_for=["dev"])
        verdict = decide(request(authorization=own), with_existing("FILL"))
        assert isinstance(verdict, Inject)
        assert (verdict.code, verdict.profile) == ("healed", "dev")

    def test_healing(self):
        """Under heal the profile is told that will replace a rejected token."""
        rules = with_existing("HEAL")
        for own in (request(authorization=sent("FOREIGN")), request(query_token=True)):
            verdict = decide(own, rules)
            assert isinstance(verdict, Pass)
            assert verdict.heal == "dev"

    @pytest.mark.parametrize("policy", ["FILL", "KEEP"])
    def test_not_healing(self, policy):
        """Under other policies a foreign token's 401 is the client's."""
        view = request(authorization=sent("FOREIGN", rejected_for=["dev"]))
        verdict = decide(view, with_existing(policy))
        assert isinstance(verdict, Pass)
        assert verdict.heal is None

    def test_healed(self):
        """A token rejected before is replaced for that profile and no other."""
        rules = with_existing("HEAL")
        rejected = sent("FOREIGN", rejected_for=["dev"])
        healed = decide(request(authorization=rejected), rules)
        assert isinstance(healed, Inject)
        assert healed.code == "healed"
        other = request(authorization=rejected, profile_fields=("prod",))
        verdict = decide(other, rules)
        assert isinstance(verdict, Pass)
        assert verdict.heal == "prod"


class TestAsUser:
    """As-User of the client beside that of the profile ("1234" for prod)."""

    @pytest.mark.parametrize("values", [(), ("1234",), (" 1234",), ("1234", "1234")])
    def test_same(self, values):
        """The profile's own user may be named."""
        view = request(profile_fields=("prod",), as_user=values)
        assert isinstance(decide(view, RULES), Inject)

    @pytest.mark.parametrize("values", [("99",), ("",), ("1234", "99")])
    def test_other(self, values):
        """Another one is refused, where a token of ours would go along."""
        view = request(profile_fields=("prod",), as_user=values)
        verdict = decide(view, RULES)
        assert isinstance(verdict, Refuse)
        assert (verdict.code, verdict.profile) == ("as_user_conflict", "prod")
        own = replace(view, authorization=sent("FOREIGN"))
        assert decide(own, RULES).code == "client_token"

    @pytest.mark.parametrize("policy", ["FILL", "HEAL"])
    @pytest.mark.parametrize("rejected", [(), ("prod",)])
    @pytest.mark.parametrize(
        "values", [(), ("",), ("99",), ("1234", "1234"), ("1234", "99")]
    )
    def test_not_healed_into_another(self, values, rejected, policy):
        """A request that acts as another with its own token is not healed by ours."""
        own = sent("FOREIGN", rejected_for=rejected, redeemed_for=["prod"])
        verdict = decide(self._own(own, values), self._healing(policy))
        assert isinstance(verdict, Pass)
        assert (verdict.code, verdict.heal) == ("client_token", None)

    @pytest.mark.parametrize("policy", ["FILL", "HEAL"])
    @pytest.mark.parametrize("values", [("1234",), (" 1234 ",)])
    def test_healed_as_the_same(self, values, policy):
        """The one As-User that the profile has is the same user with either token."""
        own = sent("FOREIGN", redeemed_for=["prod"])
        verdict = decide(self._own(own, values), self._healing(policy))
        assert isinstance(verdict, Pass)
        assert verdict.heal == "prod"
        own = sent("FOREIGN", redeemed_for=["prod"], rejected_for=["prod"])
        verdict = decide(self._own(own, values), self._healing(policy))
        assert isinstance(verdict, Inject)
        assert (verdict.code, verdict.profile) == ("healed", "prod")

    def _own(self, authorization, values):
        changes = {"authorization": authorization, "as_user": values}
        return request(profile_fields=("prod",), **changes)

    def _healing(self, policy):
        rules = with_existing(policy).rules
        return RuleSet(rules=rules, profiles=RULES.profiles, as_user=RULES.as_user)


class TestTrace:
    """TRACE: its answer is the request, token and all."""

    @pytest.mark.parametrize("method", ["TRACE", "trace"])
    def test_refused(self, method):
        """No token of ours goes where the answer would show it."""
        verdict = decide(request(method=method), RULES)
        assert isinstance(verdict, Refuse)
        assert (verdict.status, verdict.code) == (405, "trace")

    def test_own_token(self):
        """A client may trace its own token, which is then not healed."""
        view = request(method="TRACE", authorization=sent("FOREIGN"))
        verdict = decide(view, with_existing("HEAL"))
        assert isinstance(verdict, Pass)
        assert verdict.heal is None
