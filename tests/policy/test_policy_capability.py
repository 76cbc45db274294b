"""Paths that are credentials: marked, and told without what makes them one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from boxlike import API, RULES, request, sent, to
from hypothesis import given
from hypothesis import strategies as st

from everbearer.policy.decide import decide
from everbearer.policy.paths import masked, masked_target
from everbearer.policy.verdict import Inject, Pass, Refuse

SECRET = "b1!Q7canaryX-2.f"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (f"/d/1/{SECRET}/download", "/d/1/…"),
        (f"/d/12/{SECRET}", "/d/12/…"),
        (f"/D/1/{SECRET}", "/D/1/…"),
        (f"/2.0/zip_downloads/{SECRET}/content", "/2.0/zip_downloads/…"),
        (f"/d/{SECRET}/download", "/d/…"),
        (f"/d/{SECRET}", "/d/…"),
        (f"/d/1234567890/{SECRET}", "/d/…"),
        ("/d/canary/download", "/d/…"),
        ("/d/1", "/d/…"),
        ("/canary", "/…"),
        (f"/{SECRET}/d/1/x", "/…"),
        (f"/d/1/%2e%2e/{SECRET}", "/…"),
        (f"/canary/../d/1/{SECRET}", "/…"),
        (f"/d/1/{SECRET}?x=canary", "/…"),
        ("*", "/…"),
        ("", "/…"),
    ],
)
def test_only_the_kind_of_a_credential_is_told(path, told):
    """A name and a short number are left; where they end in doubt, less is."""
    assert masked(path) == told


@given(st.text())
def test_what_is_saved_of_a_credential_is_what_is_told(path):
    """In characters that a request line may have (RFC 3986 §3.3)."""
    saved = masked_target(path)
    assert saved == masked(path).replace("…", "****")
    assert saved.isascii()


@given(st.text(), st.text(min_size=17))
def test_nothing_long_is_left_of_a_path(before, secret):
    """Whatever stands where, what is told has two short segments at most."""
    kind = masked(f"/{before}/{secret}").removesuffix("/…")
    assert len(kind) <= 21
    assert kind.count("/") <= 2


@pytest.mark.parametrize(
    "path",
    [
        f"/d/1/{SECRET}/download",
        f"/D/1/{SECRET}",
        f"/%64/1/{SECRET}",
        f"//d/1/{SECRET}",
    ],
)
def test_a_pass_tells_that_the_path_is_a_credential(path):
    """In any spelling that a server may read as one."""
    verdict = decide(to("dl.boxcloud.com", path=path), RULES)
    assert isinstance(verdict, Pass)
    assert verdict.capability


@pytest.mark.parametrize(
    "view",
    [
        to("dl.boxcloud.com", path=f"/d/1/{SECRET}", authorization=sent("SEVERAL")),
        to("dl.boxcloud.com", path=f"/d/1/{SECRET}", verified_name="evil.test"),
        to("dl.boxcloud.com", path=f"/d/1/{SECRET}", port=444),
        to("dl.boxcloud.com", path=f"/d/1/{SECRET}%zz"),
        request(path=f"/d/1/{SECRET}", authorities=("dl.boxcloud.com",)),
        request(path=f"/%2564/1/{SECRET}", authorities=("dl.boxcloud.com",)),
    ],
)
def test_a_refusal_tells_it_too(view):
    """Refused before any rule was looked for, the path is the credential it was."""
    verdict = decide(view, RULES)
    assert isinstance(verdict, Refuse)
    assert verdict.capability


def test_other_paths_are_none():
    """What is injected, passed or refused elsewhere is told as it is."""
    assert isinstance(decide(request(), RULES), Inject)
    passed = decide(request(path="/oauth2/token"), RULES)
    assert isinstance(passed, Pass)
    assert not passed.capability
    refused = decide(request(authorization=sent("SEVERAL")), RULES)
    assert isinstance(refused, Refuse)
    assert not refused.capability
    assert not replace(API).capability
