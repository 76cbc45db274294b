"""The page's files: nothing comes from elsewhere, no text becomes markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "addon" / "everbearer" / "dashboard" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
LONGEST = 300
"""Lines: a file beyond that is two ideas."""


def names(paths) -> list[str]:
    """Return what they are called."""
    return [path.name for path in paths]


def test_the_document_holds_no_script_and_no_style():
    """What the policy of the page refuses is not in it."""
    text = (PAGE / "index.html").read_text()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]* src=)", text)
    assert re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL) == [""]


def test_everything_that_is_loaded_lies_beside_it():
    """Every address is a file of this folder, and every file is used."""
    used = {"index.html"}
    for path in PAGE.iterdir():
        text = path.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), path
        used |= set(re.findall(r'(?:href|src|from|import)[= ]"/([^"]*)"', text))
        assert not re.findall(r"@import|url\((?!#)", text), path
    assert used == set(names(PAGE.iterdir()))


@pytest.mark.parametrize("path", SCRIPTS, ids=names(SCRIPTS))
def test_no_text_becomes_markup_or_code(path):
    """No innerHTML and its like, no eval, no attribute that is a style."""
    text = path.read_text()
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
        r"|cssText|setAttribute\(\"style|DOMParser|localStorage|sessionStorage"
    )
    assert not re.search(forbidden, text)


@pytest.mark.parametrize(
    "path", sorted(PAGE.iterdir()), ids=names(sorted(PAGE.iterdir()))
)
def test_a_file_is_one_idea(path):
    """As everywhere in this project."""
    assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("path", SCRIPTS, ids=names(SCRIPTS))
def test_a_script_says_what_it_is_for(path):
    """It opens with a line for its reader."""
    assert path.read_text().startswith("// ")
