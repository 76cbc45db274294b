"""The JSON file of Box's developer console, whole and damaged."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.grants.contract import Subject
from everbearer.providers.box_config import BoxAppConfig, parse_config_file
from everbearer.providers.foreign import (
    ForeignKey,
    ForeignProfile,
    from_box_config,
)
from everbearer.secret import Secret
from oauth.rsa_keys import PASSPHRASE, pem

KEY = (
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFDj\n-----END ENCRYPTED PRIVATE KEY-----"
)


def document() -> dict[str, Any]:
    """Return the file as Box offers it."""
    return {
        "boxAppSettings": {
            "clientID": "abc123",
            "clientSecret": "s3cret-of-the-client",
            "appAuth": {
                "publicKeyID": "abcd1234",
                "privateKey": f"{KEY}\n",
                "passphrase": "s3cret-phrase",
            },
        },
        "enterpriseID": "1234567",
        "webhooks": {"primaryKey": "", "secondaryKey": ""},
    }


def changed(path: str, value: object) -> str:
    """Write the file with one member changed; `...` removes it."""
    whole = document()
    *parents, name = path.split(".")
    parent = whole
    for step in parents:
        parent = parent[step]
    if value is ...:
        del parent[name]
    else:
        parent[name] = value
    return json.dumps(whole)


def trouble(text: str) -> str:
    """Return what the ValueError says, its traceback included."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_config_file(text)
    assert caught.value.__context__ is None
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_file_is_read_as_box_made_it(mark):
    """Every member comes out, also behind a byte order mark; nothing is shown."""
    config = parse_config_file(mark + json.dumps(document()))
    assert config == BoxAppConfig(
        client_id="abc123",
        client_secret=Secret("s3cret-of-the-client"),
        key_id="abcd1234",
        private_key=Secret(KEY),
        passphrase=Secret("s3cret-phrase"),
        enterprise_id="1234567",
        user_id=None,
    )
    assert config.subject == Subject("enterprise", "1234567")
    assert "s3cret" not in repr(config)
    assert "MIIF" not in repr(config)


@pytest.mark.parametrize("passphrase", [None, "", ...])
def test_a_key_may_have_no_passphrase(passphrase):
    """Null, empty and missing all mean that the key is not encrypted."""
    text = changed("boxAppSettings.appAuth.passphrase", passphrase)
    assert parse_config_file(text).passphrase is None


@pytest.mark.parametrize(
    ("enterprise", "user", "expected"),
    [
        (1234567, None, Subject("enterprise", "1234567")),
        ("1", "2", Subject("enterprise", "1")),
        (None, "2", Subject("user", "2")),
        ("", 2, Subject("user", "2")),
        (None, None, None),
    ],
)
def test_the_subject_is_the_enterprise_before_the_user(enterprise, user, expected):
    """Ids may be numbers; the enterprise wins; without both there is no subject."""
    whole = document() | {"enterpriseID": enterprise, "userID": user}
    assert parse_config_file(json.dumps(whole)).subject == expected


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("boxAppSettings", ..., "boxAppSettings is missing"),
        ("boxAppSettings", [], "boxAppSettings is missing"),
        ("boxAppSettings.clientID", ..., "boxAppSettings.clientID is missing"),
        ("boxAppSettings.clientID", 5, "boxAppSettings.clientID is missing"),
        ("boxAppSettings.clientSecret", " ", "boxAppSettings.clientSecret is missing"),
        ("boxAppSettings.appAuth", ["s3cret"], "boxAppSettings.appAuth is missing"),
        ("boxAppSettings.appAuth.publicKeyID", ..., "appAuth.publicKeyID is missing"),
        ("boxAppSettings.appAuth.privateKey", None, "appAuth.privateKey is missing"),
        ("boxAppSettings.appAuth.passphrase", 5, "appAuth.passphrase must be"),
        ("enterpriseID", True, "enterpriseID is missing"),
        ("enterpriseID", ["s3cret"], "enterpriseID is missing"),
        ("userID", 1.5, "userID is missing"),
    ],
)
def test_the_member_that_is_wrong_is_named(path, value, words):
    """A missing or wrong member is named by its path, and no value is shown."""
    told = trouble(changed(path, value))
    assert words in told
    assert "s3cret" not in told


@pytest.mark.parametrize("value", [..., None, {}, []])
def test_a_file_without_a_key_pair_leads_to_the_other_grant(value):
    """Box's file for client credentials is recognised and said to be that."""
    told = trouble(changed("boxAppSettings.appAuth", value))
    assert "everbearer init --profile NAME --grant client_credentials" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no valid JSON at line 1, column 1"),
        ('{"s3cret": "s3cret\n', "no valid JSON at line 1, column 19"),
        ('["s3cret"]', "no JSON object"),
        ("[" * 100_000, "no valid JSON"),
        ("9" * 5000, "no valid JSON"),
    ],
)
def test_what_is_no_json_is_said_to_be_none(text, words):
    """The error tells the place, never the text."""
    told = trouble(text)
    assert words in told
    assert "s3cret" not in told


def test_a_key_may_lie_beside_the_file():
    """Given a key, the file's own is not asked for."""
    text = changed("boxAppSettings.appAuth.privateKey", ...)
    found = parse_config_file(text, Secret("s3cret-beside"))
    assert found.private_key == Secret("s3cret-beside")


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_the_file_is_an_identity(passphrase):
    """App, key and subject are taken as they are."""
    key = pem(passphrase=passphrase or "")
    text = changed("boxAppSettings.appAuth.passphrase", passphrase)
    found = from_box_config(parse_config_file(text, Secret(key)), "my", "42")
    assert found == ForeignProfile(
        "jwt_bearer",
        "my",
        "abc123",
        Secret("s3cret-of-the-client"),
        key=ForeignKey(
            "abcd1234", Secret(key), Secret(passphrase) if passphrase else None
        ),
        subject=Subject("enterprise", "1234567"),
        as_user="42",
    )
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("enterpriseID", "", "enterpriseID is missing"),
        ("enterpriseID", "my-company", "decimal id"),
        ("boxAppSettings.appAuth.passphrase", "", "give its passphrase"),
        ("boxAppSettings.appAuth.passphrase", "s3cret", "passphrase is wrong"),
    ],
)
def test_an_identity_can_be_used(path, value, words):
    """Without a subject, and with a key that cannot be opened, there is none."""
    whole = json.loads(changed(path, value))
    whole["boxAppSettings"]["appAuth"]["privateKey"] = pem(passphrase=PASSPHRASE)
    if "passphrase" not in path:
        whole["boxAppSettings"]["appAuth"]["passphrase"] = PASSPHRASE
    with pytest.raises(ValueError, match=words) as caught:
        from_box_config(parse_config_file(json.dumps(whole)))
    assert "s3cret" not in str(caught.value)


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_no_text_raises_anything_else(text):
    """Whatever a file holds, the answer is a ValueError."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_config_file(text)
