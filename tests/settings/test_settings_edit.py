"""The text of a configuration, edited: everything else stays as it stands."""

from __future__ import annotations

import difflib

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from everbearer.settings.edit import (
    CREDENTIALS,
    sources_in,
    with_credentials,
    with_profile,
)
from everbearer.settings.problems import Mistake

NEW = {
    "provider": "box",
    "grant": "jwt_bearer",
    "client_id": "new",
    "client_secret": {"file": "secrets/x"},
    "jwt": {"key_id": "kid", "private_key": {"keyring": "everbearer/x"}},
}

PIECES = [
    "# The first words.\n# More of them.\n\n",
    "# About the profile.\n",
    (
        '[profiles.dev]\nprovider = "box" # here\n\ngrant = "refresh_token"\n'
        'client_id = "old"   # why\nclient_secret = "s3cret-old"\nas_user = "7"\n'
    ),
    "\n# About the network.\n",
    '[network]\nca_file = "ca.pem"\n',
    "\n[network.connect_to]\n" + '"api.box.com:443" = "127.0.0.1:1"\n',
    '\n[[rules]] # one\nhosts = [\n  "api.box.com", # this\n]\nprofiles = ["dev"]\n',
    "\n# The last words.",
]


def lost(before: str, after: str) -> list[str]:
    """Return the lines that are gone."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line[2:] for line in lines if line.startswith("- ")]


@given(st.lists(st.booleans(), min_size=8, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_another_profile_changes_no_line(chosen, end):
    """Every line of any configuration stays, and the profile means what was given."""
    text = "".join(piece for piece, has in zip(PIECES, chosen, strict=True) if has)
    text = text.replace("\n", end)
    after = with_profile(text, "new.one", NEW, "Made for a test.")
    assert lost(text, after) == []
    assert after.count("\r\n") == (after.count("\n") if "\r" in text else 0)
    before, document = tomli.loads(text), tomli.loads(after)
    assert document["profiles"].pop("new.one") == NEW
    assert document.pop("default_profile", None) == ("dev" if chosen[2] else None)
    assert {**document, "profiles": None} == {**before, "profiles": None}


def test_the_only_profile_stays_the_default():
    """What served without a word goes on serving; a word that was said stays."""
    after = with_profile("".join(PIECES), "new", NEW)
    assert after.startswith(f'{PIECES[0]}default_profile = "dev"\n\n{PIECES[1]}')
    again = with_profile(after, "third", NEW)
    assert again.startswith(after)


@given(st.lists(st.booleans(), min_size=8, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_new_credentials_keep_the_rest(chosen, end):
    """The profile's other keys, and all that is not about it, stay line by line."""
    chosen[2] = True
    text = "".join(piece for piece, has in zip(PIECES, chosen, strict=True) if has)
    text = text.replace("\n", end)
    after = with_credentials(text, "dev", NEW)
    gone = lost(text, after)
    assert all(line.startswith(CREDENTIALS) for line in gone)
    assert "   # why" in after
    document = tomli.loads(after)
    assert document.pop("profiles") == {"dev": NEW | {"as_user": "7"}}
    before = tomli.loads(text)
    assert document == {key: before[key] for key in before if key != "profiles"}


WAYS = {
    "no line end": '[profiles.dev]\nprovider = "box"\naccess_token = "t"',
    "dotted": 'profiles.dev = { provider = "box", as_user = "7" }\n',
    "inline": 'profiles = { dev = { provider = "box", access_token = "t" } }\n',
    "half inline": '[profiles]\ndev = { provider = "box", access_token = "t" }\n',
    "dotted keys": '[profiles]\ndev.provider = "box"\ndev.access_token = "t"\n',
    "tables": (
        '[profiles."dev"]\nprovider = "box"\nas_user = "1"\n\n'
        '[profiles.dev.jwt]\nfile = "x"\n\n# About the network.\n[network]\n'
    ),
    "apart": '[profiles.dev]\nprovider = "box"\n[network]\n[profiles.b.jwt]\n',
    "key before": '[profiles.dev.jwt]\n[profiles.dev]\nprovider = "box"\n',
    "key apart": '[profiles.dev]\nprovider = "box"\n[network]\n[profiles.dev.jwt]\n',
}


def meaning(text: str, name: str) -> dict[str, object]:
    """Return the profiles as they are to be afterwards."""
    profiles = dict(tomli.loads(text)["profiles"])
    kept = profiles.get(name, {})
    profiles[name] = {k: v for k, v in kept.items() if k not in CREDENTIALS} | NEW
    return profiles


UNUSUAL = {"dotted keys", "key before", "key apart"}


@pytest.mark.parametrize("way", sorted(WAYS.keys() - UNUSUAL))
def test_a_profile_is_edited_however_it_is_written(way):
    """Table, inline or dotted: it gets the credentials, and no comment is lost."""
    after = with_credentials(WAYS[way], "dev", NEW)
    assert tomli.loads(after)["profiles"] == meaning(WAYS[way], "dev")
    assert [line for line in lost(WAYS[way], after) if line.startswith("#")] == []


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"inline"}))
def test_a_profile_is_added_however_others_are_written(way):
    """The others are left as they are."""
    after = with_profile(WAYS[way], "new", NEW)
    assert tomli.loads(after)["profiles"] == meaning(WAYS[way], "new")


@pytest.mark.parametrize("way", ["inline", *sorted(UNUSUAL)])
def test_what_cannot_be_edited_is_refused(way):
    """What would come out wrong is not done: a person is told to change it."""
    edit, name = (with_profile, "new") if way == "inline" else (with_credentials, "dev")
    with pytest.raises(Mistake) as caught:
        edit(WAYS[way], name, NEW)
    assert "[profiles.NAME]" in caught.value.fix


def test_the_usual_ways_are_not_refused():
    """A table under its own header is edited, whatever stands around it."""
    tables = (
        '[profiles.dev]\nprovider = "box"\n[profiles.dev.jwt]\nfile = "x"\n'
        '# About the network.\n[network]\nca_file = "c"\n'
    )
    after = with_credentials(tables, "dev", NEW)
    assert tomli.loads(after)["profiles"]["dev"] == NEW
    assert after.endswith('# About the network.\n[network]\nca_file = "c"\n')


def test_profiles_that_are_no_table():
    """What is no table of profiles is not edited."""
    for text in ("profiles = 5\n", 'profiles = ["dev"]\n'):
        with pytest.raises(Mistake, match="cannot be edited"):
            with_profile(text, "new", NEW)


@pytest.mark.parametrize("value", ['a"b\\c', "ü\x7f\x00\n", "\u2028"])
def test_any_string_is_written(value):
    """Quotes, control characters and all others come back as they were."""
    after = with_profile("", "new", NEW | {"client_id": value})
    assert tomli.loads(after)["profiles"]["new"]["client_id"] == value


def test_the_sources_of_secrets():
    """Files and entries of the keyring are found wherever they stand."""
    text = with_profile('[[rules]]\nx = { file = "y" }\n', "new", NEW)
    assert sources_in(text) == {"file y", "file secrets/x", "keyring everbearer/x"}
