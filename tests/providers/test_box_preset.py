"""Where Box's tokens may go, as a table."""

from __future__ import annotations

import pytest

from everbearer.policy.rules import Action, ExistingPolicy, Rule
from everbearer.providers import PROVIDERS
from everbearer.schemes import SCHEMES

BOX = PROVIDERS["box"]


def first_match(host: str, path: str) -> Rule | None:
    """Return the first rule that names host and path, exclusions first."""
    for rule in (*BOX.exclusions, *BOX.injecting):
        if any(pattern.matches(host) for pattern in rule.hosts) and any(
            pattern.matches(path) for pattern in rule.paths
        ):
            return rule
    return None


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("api.box.com", "/2.0/users/me"),
        ("api.box.com", "/2.0/zip_downloads"),
        ("api.box.com", "/2.0/files/1/content"),
        ("upload.box.com", "/api/2.0/files/content"),
        ("upload.app.box.com", "/api/2.0/files/upload_sessions/F1"),
        ("upload-las.app.box.com", "/api/2.0/files/content"),
        ("dl.boxcloud.com", "/api/2.0/internal_files/1/versions/2/representations/x"),
    ],
)
def test_the_api_gets_the_token(host, path):
    """The API, the uploads and the representations are authorised."""
    rule = first_match(host, path)
    assert rule is not None
    assert (rule.action, rule.existing) == (Action.INJECT, ExistingPolicy.FILL)


@pytest.mark.parametrize(
    ("host", "path", "private", "capability"),
    [
        ("api.box.com", "/oauth2/token", True, False),
        ("api.box.com", "/oauth2/revoke", True, False),
        ("dl.boxcloud.com", "/d/1/b1!x/download", False, True),
        ("dl.boxcloud.com", "/2.0/zip_downloads/x/content", False, True),
    ],
)
def test_exclusions_pass_and_say_where_the_tokens_are(host, path, private, capability):
    """What authorises itself passes; its tokens are in the body or in the path."""
    rule = first_match(host, path)
    assert rule is not None
    assert rule.action is Action.PASS
    assert (rule.private, rule.capability) == (private, capability)


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("api.box.com", "/"),
        ("api.box.com", "/2.0"),
        ("api.box.com", "/2.01/users/me"),
        ("upload.box.com", "/2.0/files/content"),
        ("dl.boxcloud.com", "/api/2.0/files/1/content"),
        ("dl2.boxcloud.com", "/api/2.0/internal_files/1"),
        ("upload-las.box.com", "/api/2.0/files/content"),
        ("upload-a.b.app.box.com", "/api/2.0/files/content"),
        ("uploads.app.box.com", "/api/2.0/files/content"),
        ("account.box.com", "/api/oauth2/authorize"),
        ("app.box.com", "/api/oauth2/token"),
        ("www.box.com", "/api/oauth2/token"),
        ("api.box.com.evil.test", "/2.0/users/me"),
        ("evil-api.box.com", "/2.0/users/me"),
    ],
)
def test_nothing_else_is_ruled(host, path):
    """No other host or path of Box, nor one that only looks like it, is named."""
    assert first_match(host, path) is None


def test_the_preset_is_complete():
    """Its scheme exists, labels are unique, profiles are left open."""
    assert BOX.scheme in SCHEMES
    assert (BOX.name, BOX.token_url) == ("box", "https://api.box.com/oauth2/token")
    assert BOX.default_expires_in == 3600.0
    rules = (*BOX.exclusions, *BOX.injecting)
    assert len({rule.label for rule in rules}) == len(rules)
    assert {rule.profiles for rule in rules} == {()}
    assert {rule.methods for rule in rules} == {frozenset()}


@pytest.mark.parametrize(
    ("body", "who"),
    [
        (b'{"name": "Ada", "login": "ada@example.com"}', "Ada (ada@example.com)"),
        ('{"name": "Adá", "login": null}'.encode(), "Adá"),
        (b'{"login": "ada@example.com"}', ""),
        (b"[]", ""),
        (b"<html>", ""),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_a_user_is_told_in_a_few_words(body: bytes, who: str):
    """Name and login of GET /users/me; nothing where the answer is something else."""
    assert BOX.who.read(body) == who


def test_a_person_consents_at_box():
    """Consent and revocation are Box's own, over TLS."""
    assert BOX.authorize_url == "https://account.box.com/api/oauth2/authorize"
    assert BOX.revoke_url == "https://api.box.com/oauth2/revoke"
