"""Recipes and shell statements, as text."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.clients.recipes import PLACEHOLDER, RECIPES, Facts
from everbearer.clients.shells import statements
from everbearer.clients.variables import Endpoint
from everbearer.policy.view import Existing
from everbearer.schemes.existing import classify
from needs import need

FACTS = Facts(
    Endpoint("127.0.0.1", 8080), Path("/a b/ca.pem"), Path("/b.pem"), Path("/c.jks")
)
ASKED = {
    *("curl", "wget", "httpie", "postman", "newman", "insomnia", "bruno", "bru"),
    *("rclone", "box-cli", "box-python-sdk", "box-node-sdk", "python", "node", "java"),
    *("shell", "docker", "agent"),
}


def test_the_tools_are_these():
    """One entry each."""
    assert set(RECIPES) == ASKED


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_filled_in(name):
    """Its title is first, and no name of a member is left in braces."""
    text = RECIPES[name].text(FACTS)
    assert text.startswith(f"# {RECIPES[name].title}\n")
    for member in ("{proxy}", "{host}", "{port}", "{ca}", "{bundle}", "{java}"):
        assert member not in text


def test_paths_are_quoted_for_a_shell():
    """One with a space is one word."""
    words = shlex.split(RECIPES["curl"].text(FACTS), comments=True)
    assert "/a b/ca.pem" in words


@pytest.mark.real
@pytest.mark.parametrize("path", ["/c.jks", "/sp ace/c.jks", "/it's/c d.jks"])
def test_javas_options_come_to_a_jvm_whole(path):
    """A shell takes them as one value; in it, a path with a space is one word."""
    need("sh")
    facts = replace(FACTS, trust_store=Path(path))
    done = subprocess.run(
        ["sh", "-c", f'{RECIPES["java"].text(facts)}\nprintf %s "$JAVA_TOOL_OPTIONS"'],
        capture_output=True,
        text=True,
        check=True,
    )
    words = shlex.split(done.stdout)
    assert f"-Djavax.net.ssl.trustStore={path}" in words
    assert all(word.startswith("-D") for word in words), words


def test_the_placeholder_is_no_token_to_everbearer():
    """What recipes have tools send in a token's place is replaced by one."""
    found = classify(
        (f"Bearer {PLACEHOLDER}",),
        placeholder="",
        issued=lambda _: frozenset(),
        redeemed=lambda _: frozenset(),
        rejected_for=lambda _: frozenset(),
    )
    assert found.kind is Existing.PLACEHOLDER


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_whatever_a_variable_holds_is_one_word_of_a_shell(value):
    """In sh: POSIX quoting, parsed back."""
    (word,) = [
        each
        for each in shlex.split(statements("sh", {"NAME": value}))
        if each != "export"
    ]
    assert word == f"NAME={value}"


@pytest.mark.real
@pytest.mark.parametrize("value", ["a b", "it's", '"$HOME"', "`id`", "a\\b", "a\nb"])
def test_a_real_shell_takes_it_as_it_is(value):
    """Sh itself, by eval."""
    need("sh")
    script = 'eval "$1"; printf %s "$NAME"'
    done = subprocess.run(
        ["sh", "-c", script, "-", statements("sh", {"NAME": value})],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == value


def test_fish_is_quoted_in_its_own_way():
    """In single quotes it knows the escapes of the quote and of the backslash."""
    text = statements("fish", {"A": "it's", "B": "a\\b", "C": "$HOME"})
    assert text.splitlines() == [
        r"set -gx A 'it\'s';",
        r"set -gx B 'a\\b';",
        "set -gx C '$HOME';",
    ]
