"""Environments that Postman exported, of both collections, whole and damaged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.grants.contract import Subject
from everbearer.providers.foreign import ForeignKey, ForeignProfile
from everbearer.providers.postman import parse_environment
from everbearer.secret import Secret
from oauth.rsa_keys import PASSPHRASE, pem

CLIENT = {"client_id": "abc123", "client_secret": "s3cret-of-the-client"}
SUBJECT = {"box_subject_type": "enterprise", "box_subject_id": "1234567"}


def exported(name: object = "Box Test", **variables: object) -> str:
    """Write an environment as Postman exports it."""
    return json.dumps(
        {
            "name": name,
            "values": [
                {"type": "default", "key": key, "value": value, "enabled": True}
                for key, value in variables.items()
            ],
            "_postman_variable_scope": "environment",
        }
    )


def trouble(text: str) -> str:
    """Return what the ValueError says, which holds no secret."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_environment(text)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", [{}, {"box_env_type": "OAUTH"}])
@pytest.mark.parametrize("refresh_token", ["", "s3cret-refresh"])
def test_both_schemes_have_refresh_tokens(kind, refresh_token):
    """The classic variables and the advanced ones mean the same grant."""
    found = parse_environment(
        exported(**CLIENT, **kind, refresh_token=refresh_token, access_token="s3cret")
    )
    assert found == ForeignProfile(
        "refresh_token",
        "Box Test",
        "abc123",
        Secret("s3cret-of-the-client"),
        refresh_token=Secret(refresh_token) if refresh_token else None,
    )
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize("kind", [{}, {"box_env_type": "BEARER"}])
def test_a_token_alone_is_a_developer_token(kind):
    """Without an app there is nothing that renews it."""
    found = parse_environment(exported(**kind, access_token=" s3cret-token\n"))
    assert found == ForeignProfile("", "Box Test", access_token=Secret("s3cret-token"))


@pytest.mark.parametrize(
    ("more", "subject"),
    [
        ({}, Subject("enterprise", "1234567")),
        ({"box_subject_type": "user"}, Subject("user", "1234567")),
        ({"box_subject_type": ""}, Subject("enterprise", "1234567")),
        ({"box_subject_id": 7}, Subject("enterprise", "7")),
    ],
)
def test_client_credentials_have_a_subject(more, subject):
    """Enterprise or user, and the id may be a number."""
    found = parse_environment(
        exported(**CLIENT, **{**SUBJECT, **more}, box_env_type="CCG")
    )
    assert found == ForeignProfile(
        "client_credentials",
        "Box Test",
        "abc123",
        Secret("s3cret-of-the-client"),
        subject=subject,
    )


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_a_key_pair(passphrase):
    """The key is taken as it is, encrypted or not."""
    key = pem(passphrase=passphrase)
    found = parse_environment(
        exported(
            **CLIENT,
            **SUBJECT,
            box_env_type="jwt",
            key_id="kid",
            private_key_encrypted=key,
            private_key_passphrase=passphrase,
        )
    )
    phrase = Secret(passphrase) if passphrase else None
    assert found.grant == "jwt_bearer"
    assert found.key == ForeignKey("kid", Secret(key.strip()), phrase)
    assert found.subject == Subject("enterprise", "1234567")


def test_what_is_switched_off_does_not_count():
    """A disabled variable is none; of several with one name the last counts."""
    whole = json.loads(exported(**CLIENT, refresh_token="s3cret-old"))
    whole["values"] += [
        {"key": "refresh_token", "value": "s3cret-new", "enabled": True},
        {"key": "refresh_token", "value": "s3cret-off", "enabled": False},
        {"key": None, "value": "s3cret"},
        {"key": "access_token", "value": None},
    ]
    assert parse_environment(json.dumps(whole)).refresh_token == Secret("s3cret-new")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "client_id is not filled in"),
        (CLIENT | {"client_id": "YOU CLIENT ID GOES HERE"}, "client_id is not filled"),
        (CLIENT | {"client_secret": ""}, "client_secret is not filled in"),
        (CLIENT | {"client_secret": "{{s3cret}}"}, "client_secret is not filled in"),
        (CLIENT | {"client_secret": ["s3cret"]}, "client_secret is not filled in"),
        ({"box_env_type": "BEARER", "access_token": ""}, "access_token is not filled"),
        (CLIENT | {"box_env_type": "s3cret"}, "box_env_type is none of"),
        (CLIENT | {"box_env_type": "CCG"}, "box_subject_id is not filled in"),
        (
            CLIENT | {"box_env_type": "CCG", "box_subject_id": "YOUR ENTERPRISE ID"},
            "box_subject_id is not filled in",
        ),
        (CLIENT | {"box_env_type": "CCG", "box_subject_id": "s3cret"}, "decimal id"),
        (CLIENT | SUBJECT | {"box_env_type": "JWT"}, "private_key_encrypted is not"),
        (
            CLIENT
            | SUBJECT
            | {"box_env_type": "JWT", "private_key_encrypted": pem(), "key_id": ""},
            "key_id is not filled in",
        ),
        (
            CLIENT
            | SUBJECT
            | {
                "box_env_type": "JWT",
                "private_key_encrypted": pem(passphrase="s3cret"),
                "key_id": "kid",
            },
            "give its passphrase",
        ),
    ],
)
def test_the_variable_that_is_wrong_is_named(variables, words):
    """A variable that nobody filled in is named, with what to do."""
    assert words in trouble(exported(**variables))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"info": {}, "item": []}, "this is a collection"),
        ({"name": "x"}, "values is missing"),
        ({"values": ["s3cret"]}, "values holds what is no object"),
        ({"values": [], "name": ["s3cret"]}, "name is missing or not a text"),
        ([], "no JSON object"),
    ],
)
def test_another_shape_is_named(document: Any, words):
    """What is no environment is said to be none, with what to do."""
    assert words in trouble(json.dumps(document))


NAMES = st.sampled_from(
    ["box_env_type", "client_id", "client_secret", "access_token", "refresh_token",
     "key_id", "private_key_encrypted", "box_subject_id", "box_subject_type"]
)  # fmt: skip
VALUES = st.text() | st.sampled_from(["JWT", "CCG", "OAUTH", "7"]) | st.none()


@given(
    st.text()
    | st.recursive(st.none() | st.text(), st.lists).map(json.dumps)
    | st.dictionaries(NAMES, VALUES).map(lambda found: exported(**found))
)
def test_no_text_raises_anything_else(text):
    """Whatever a file holds, the answer is an identity or a ValueError."""
    try:
        found = parse_environment(text)
    except ValueError:
        return
    assert isinstance(found, ForeignProfile)
