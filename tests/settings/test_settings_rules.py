"""Rules: the user's between those of the presets."""

import pytest

from everbearer.policy.hosts import HostPattern
from everbearer.policy.paths import PathPattern
from everbearer.policy.rules import Action, ExistingPolicy, Rule, RuleSet
from everbearer.providers.box import BOX
from everbearer.providers.contract import Preset
from everbearer.settings.rules import unserved, with_presets
from settings.config_folder import DEV

OTHER = DEV.replace(".dev]", ".other]").replace("-refresh", "-other")


def labels(rules):
    """Return what the rules are called, in order."""
    return [rule.label for rule in rules]


def test_the_presets_own_rules(folder):
    """Without rules of the user, all profiles are served by the preset's."""
    rules = folder.load(DEV + OTHER).rules
    assert rules[: len(BOX.exclusions)] == BOX.exclusions
    injecting = rules[len(BOX.exclusions) :]
    assert labels(injecting) == labels(BOX.injecting)
    assert {rule.profiles for rule in injecting} == {("dev", "other")}


def test_the_order(folder):
    """Exclusions, the user's, then the preset's for whom the user has no rule."""
    toml = DEV + OTHER + '[[rules]]\nhosts = ["api.box.com"]\nprofiles = ["dev"]'
    rules = folder.load(toml).rules
    assert labels(rules) == [
        *labels(BOX.exclusions),
        "rules[0]",
        *labels(BOX.injecting),
    ]
    assert {r.profiles for r in rules[len(BOX.exclusions) + 1 :]} == {("other",)}


def test_the_preset_injects_for_nobody_else(folder):
    """When the user's rules name every profile, the preset's are gone."""
    toml = DEV + '[[rules]]\nhosts = ["api.box.com"]\nprofiles = ["dev"]'
    assert labels(folder.load(toml).rules) == [*labels(BOX.exclusions), "rules[0]"]


def test_a_refusing_rule_names_nobody(folder):
    """It leaves the preset's injecting rules as they are."""
    toml = DEV + '[[rules]]\nhosts = ["api.box.com"]\naction = "refuse"'
    assert labels(folder.load(toml).rules)[-1] == labels(BOX.injecting)[-1]


def test_every_part_of_a_rule(folder):
    """What is written is what the rule has."""
    toml = DEV + (
        '[[rules]]\nhosts = ["API.box.com.", "upload-*.app.box.com"]\n'
        'paths = ["/2.0/*"]\nmethods = ["GET", "PUT"]\nprofiles = ["dev"]\n'
        'existing_authorization = "heal"\n'
        '[[rules]]\nhosts = ["api.box.com"]\naction = "pass"'
    )
    rules = folder.load(toml).rules[len(BOX.exclusions) :]
    assert rules == (
        Rule(
            label="rules[0]",
            hosts=(
                HostPattern.parse("api.box.com"),
                HostPattern.parse("upload-*.app.box.com"),
            ),
            paths=(PathPattern.parse("/2.0/*"),),
            methods=frozenset({"GET", "PUT"}),
            profiles=("dev",),
            existing=ExistingPolicy.HEAL,
        ),
        Rule(
            label="rules[1]",
            hosts=(HostPattern.parse("api.box.com"),),
            action=Action.PASS,
        ),
    )


def test_the_rules_are_fit_for_the_policy(folder):
    """The policy takes what comes out."""
    settings = folder.load(DEV + OTHER)
    rules = RuleSet(rules=settings.rules, profiles=tuple(settings.profiles))
    assert rules.covers("api.box.com")


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        ('profiles = ["dev"]', ".hosts", "is missing"),
        ('hosts = []\nprofiles = ["dev"]', ".hosts", "is empty"),
        ('hosts = ["*"]\nprofiles = ["dev"]', ".hosts[0]", 'use "*.box.com"'),
        ('hosts = ["a.com", "1.2.3.4"]\nprofiles = ["dev"]', ".hosts[1]", "no IP"),
        (
            'hosts = ["a.com"]\nprofiles = ["dev"]\npaths = ["2.0/*"]',
            ".paths[0]",
            '"/2',
        ),
        ('hosts = ["a.com"]\nprofiles = ["dev"]\npaths = []', ".paths", "is empty"),
        ('hosts = ["a.com"]\nprofiles = ["dev"]\nmethods = []', ".methods", "is empty"),
        (
            'hosts = ["a.com"]\nprofiles = ["dev"]\nmethods = ["GET", " put"]',
            ".methods[1]",
            '"PUT"',
        ),
        (
            'hosts = ["a.com"]\nprofiles = ["dev"]\nmethods = ["a b"]',
            ".methods[0]",
            '"GET"',
        ),
        ('hosts = ["a.com"]', "", 'profiles = ["dev"], or action = "refuse" or "pass"'),
        ('hosts = ["a.com"]\nprofiles = []', ".profiles", "is empty"),
        ('hosts = ["a.com"]\nprofiles = ["dve"]', ".profiles[0]", 'write: "dev"'),
        ('hosts = ["a.com"]\nprofiles = ["zzz"]', ".profiles[0]", 'write: "dev"'),
        (
            'hosts = ["a.com"]\nprofiles = ["dev"]\naction = "pass"',
            ".action",
            "keep one of the two",
        ),
        ('hosts = ["a.com"]\naction = "inject"', ".action", '"refuse" or "pass"'),
        (
            'hosts = ["a.com"]\naction = "pass"\nexisting_authorization = "keep"',
            ".existing_authorization",
            "no meaning",
        ),
    ],
)
def test_a_wrong_rule(folder, rule, path, text):
    """Each mistake has its place and its cure."""
    problem = folder.problem(f"{DEV}\n[[rules]]\n{rule}")
    assert problem.path == f"rules[0]{path}"
    assert text in str(problem)


TOY = Preset(
    name="toy",
    token_url="https://toy.test/",
    exclusions=(),
    injecting=(),
    default_expires_in=60.0,
)


def test_a_profile_that_no_rule_serves():
    """A preset without injecting rules leaves its profiles to the user's rules."""
    rules = with_presets((), {"a": "toy", "b": "box"}, {"toy": TOY, "box": BOX})
    (warning,) = unserved(rules, ["a", "b"])
    assert warning.startswith("profiles.a: no rule names it")
