"""Rules: what they match, and how they are found by host."""

from dataclasses import FrozenInstanceError, dataclass, replace

import pytest
from boxlike import (
    API,
    DOWNLOAD,
    NO_DELETE,
    RULES,
    SIGNED,
    TOKEN_ENDPOINT,
    UPLOAD,
    replace_rules,
    rule,
)
from hypothesis import given
from hypothesis import strategies as st

from everbearer.policy.hosts import normalise_host
from everbearer.policy.rules import Action, RuleSet


class TestRule:
    """One rule, a method and one reading of a path."""

    @pytest.mark.parametrize(
        ("method", "path", "expected"),
        [
            ("GET", "/2.0/files", True),
            ("PUT", "/2.0/files", True),
            ("get", "/2.0/files", False),
            ("DELETE", "/2.0/files", False),
            ("GET", "/2.0/users", False),
            ("GET", "/2.0/FILES", False),
        ],
    )
    def test_injecting(self, method, path, expected):
        """A rule that injects matches its methods and paths to the letter."""
        methods = frozenset({"GET", "PUT"})
        paths = ["/2.0/files", "/2.0/folders"]
        injecting = rule("r", ["a.example"], paths, methods=methods)
        assert injecting.matches(method, path) is expected

    @pytest.mark.parametrize("action", [Action.PASS, Action.REFUSE])
    @pytest.mark.parametrize(
        ("method", "path", "expected"),
        [
            ("GET", "/2.0/files", True),
            ("get", "/2.0/Files", True),
            ("POST", "/2.0/files", False),
            ("GET", "/2.0/users", False),
        ],
    )
    def test_withholding(self, action, method, path, expected):
        """A rule that withholds the token matches in upper and lower case."""
        methods = frozenset({"GET"})
        withholding = rule(
            "r", ["a.example"], ["/2.0/files"], methods=methods, action=action
        )
        assert withholding.matches(method, path) is expected

    @pytest.mark.parametrize("action", list(Action))
    def test_everything(self, action):
        """Without paths and methods a rule matches all."""
        assert rule("r", ["a.example"], action=action).matches("X", "/y")


class TestRuleSet:
    """All rules, by host."""

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("api.box.com", (TOKEN_ENDPOINT, NO_DELETE, API)),
            ("dl.boxcloud.com", (SIGNED, DOWNLOAD)),
            ("upload.box.com", (UPLOAD,)),
            ("upload-las.app.box.com", (UPLOAD,)),
            ("upload-.app.box.com", ()),
            ("app.box.com", ()),
            ("evil-api.box.com", ()),
            ("", ()),
        ],
    )
    def test_for_host(self, host, expected):
        """A host has the rules that name it, in order; others have none."""
        assert RULES.for_host(host) == expected
        assert RULES.covers(host) is bool(expected)

    def test_precedence(self):
        """Exact names do not come before wildcards: only the order counts."""
        one = rule("1", ["*.app.example.com"], profiles=("dev",))
        two = rule("2", ["ab.app.example.com", "*.app.example.com"], profiles=("dev",))
        three = rule("3", ["a*.app.example.com"], profiles=("dev",))
        for order in ((one, two, three), (three, two, one)):
            rules = replace_rules(*order)
            assert rules.for_host("ab.app.example.com") == order
        assert rules.for_host("b.app.example.com") == (two, one)

    def test_only_wildcards_of_the_same_parent_are_tried(self):
        """Among many rules a look-up asks no pattern of another domain."""

        @dataclass(frozen=True)
        class Untouchable:
            parent: str
            text: str = "*"

            def matches(self, host):
                raise AssertionError(host)

        others = [
            replace(API, label=str(i), hosts=(Untouchable(f"x{i}.example"),))
            for i in range(1000)
        ]
        rules = replace_rules(*others, API, UPLOAD)
        assert rules.for_host("api.box.com") == (API,)
        assert rules.for_host("upload-las.app.box.com") == (UPLOAD,)
        assert not rules.covers("evil.test")

    @pytest.mark.parametrize(
        "raw",
        [
            "api.box.com",
            "API.BOX.COM.",
            "api.box.com..",
            "api.box.com:8443",
            "API.BOX.COM.:443",
            "user@api.box.com",
            "\uff41pi.box.com",
            "api\u3002box\u3002com",
            "upload-las.APP.box.com.",
            "api.box.com\0",
            "api.box.com%00.evil.test",
            " api.box.com",
        ],
    )
    def test_covers_raw(self, raw):
        """Every spelling that could reach a ruled host is covered."""
        assert RULES.covers_raw(raw)

    def test_covers_what_a_wildcard_makes_of_unicode(self):
        """A name whose ASCII form a wildcard matches is covered as well."""
        rules = replace_rules(rule("1", ["*.app.box.com"], profiles=("dev",)))
        assert rules.covers_raw("upload-\u00e4.app.box.com")

    @pytest.mark.parametrize(
        "raw",
        [
            "evil-api.box.com",
            "api.box.com.evil.test",
            "\u0430pi.box.com",
            "xn--pi-6kc.box.com",
            "box.com",
            "104.16.0.1:443",
            "[::1]:443",
            "",
            "\udc80",
        ],
    )
    def test_does_not_cover_raw(self, raw):
        """Other hosts stay other hosts, and are not decrypted."""
        assert not RULES.covers_raw(raw)

    @given(st.text())
    def test_covers_raw_is_total_and_no_weaker(self, raw):
        """`covers_raw` never raises, nor misses what `covers` finds."""
        covered = RULES.covers_raw(raw)
        try:
            host = normalise_host(raw)
        except ValueError:
            return
        assert covered is RULES.covers(host)

    @pytest.mark.parametrize(
        ("rules", "changes", "message"),
        [
            ([replace(API, profiles=())], {}, "box:api injects and names no profile"),
            ([replace(API, profiles=("nobody",))], {}, "box:api names an unknown"),
            ([API], {"default_profile": "nobody"}, "default_profile"),
            ([API], {"as_user": {"nobody": "1"}}, "as_user"),
        ],
    )
    def test_wrong(self, rules, changes, message):
        """A set in which a decision would have no answer cannot be made."""
        with pytest.raises(ValueError, match=message):
            replace_rules(*rules, **changes)

    def test_frozen(self):
        """A set of rules cannot be changed, nor by what it was made of."""
        users = {"prod": "1"}
        rules = RuleSet(rules=(API,), profiles=RULES.profiles, as_user=users)
        users["prod"] = "2"
        assert rules.as_user == {"prod": "1"}
        with pytest.raises(FrozenInstanceError):
            rules.unmatched = "inspect"
        with pytest.raises(TypeError):
            rules.as_user["prod"] = "2"
