"""What the Box CLI keeps, whole and damaged."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.oauth.grants.contract import Subject
from everbearer.providers.box_cli import (
    BoxCliEnvironment,
    parse_environments,
    parse_token_cache,
)
from everbearer.providers.foreign import ForeignProfile
from everbearer.secret import Secret

JWT: dict[str, Any] = {
    "clientId": "abc123",
    "enterpriseId": "1234567",
    "boxConfigFilePath": "/abs/path/config.json",
    "hasInLinePrivateKey": True,
    "privateKeyPath": None,
    "name": "my",
    "defaultAsUserId": None,
    "useDefaultAsUser": False,
    "cacheTokens": True,
}
CCG = JWT | {"clientSecret": "s3cret-of-the-client", "authMethod": "ccg"}
OAUTH: dict[str, Any] = {
    "clientId": "abc123",
    "clientSecret": "s3cret-of-the-client",
    "name": "my",
    "cacheTokens": True,
    "authMethod": "oauth20",
}
AS_USER = {"useDefaultAsUser": True, "defaultAsUserId": "42"}


def kept(**environments: object) -> str:
    """Write the environments as the Box CLI does."""
    return json.dumps({"default": None, "environments": environments})


def trouble(text: str, wanted: str = "") -> str:
    """Return what the ValueError says, which holds no secret."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_environments(text, wanted)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (
            JWT,
            BoxCliEnvironment(
                ForeignProfile("jwt_bearer", "my"), "/abs/path/config.json"
            ),
        ),
        (
            JWT | AS_USER | {"hasInLinePrivateKey": False, "privateKeyPath": "/k.pem"},
            BoxCliEnvironment(
                ForeignProfile("jwt_bearer", "my", as_user="42"),
                "/abs/path/config.json",
                "/k.pem",
            ),
        ),
    ],
)
def test_an_app_with_a_key_pair(members, expected):
    """Its environment names the files that have the rest."""
    assert parse_environments(kept(my=members)) == expected


@pytest.mark.parametrize(
    ("members", "subject", "as_user"),
    [
        (CCG, Subject("enterprise", "1234567"), ""),
        (CCG | {"enterpriseId": 7}, Subject("enterprise", "7"), ""),
        (CCG | {"ccgUser": "99"}, Subject("user", "99"), ""),
        (CCG | AS_USER, Subject("enterprise", "1234567"), "42"),
        (CCG | {"defaultAsUserId": "42"}, Subject("enterprise", "1234567"), ""),
    ],
)
def test_client_credentials(members, subject, as_user):
    """A user wins over the enterprise; As-User is there where it is in use."""
    found = parse_environments(kept(my=members))
    assert found.profile == ForeignProfile(
        "client_credentials",
        "my",
        "abc123",
        Secret("s3cret-of-the-client"),
        subject=subject,
        as_user=as_user,
    )
    assert "s3cret" not in repr(found)


def test_a_login():
    """Its tokens lie elsewhere, by the environment's name."""
    found = parse_environments(kept(my=OAUTH))
    assert found == BoxCliEnvironment(
        ForeignProfile("refresh_token", "my", "abc123", Secret("s3cret-of-the-client"))
    )
    assert found.token_service == "boxcli-token-my"
    assert found.token_file == "my_token_cache.json"


def test_one_of_several_has_to_be_named():
    """Which is meant is never guessed; the names are told."""
    text = kept(one=JWT, two=OAUTH)
    assert "--environment: one, two" in trouble(text)
    assert "no environment three; name one of: one, two" in trouble(text, "three")
    assert parse_environments(text, "two").profile.name == "two"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no valid JSON at line 1"),
        ("[]", "no JSON object"),
        ("{}", "environments is missing"),
        (kept(), "it has no environment"),
        (kept(**{"../s": OAUTH}), "no file name"),
        (kept(my=5), "environments.my is missing or not an object"),
        (kept(my={}), "environments.my.boxConfigFilePath is missing"),
        (
            kept(my=JWT | {"hasInLinePrivateKey": False}),
            "environments.my.privateKeyPath is missing",
        ),
        (kept(my=OAUTH | {"clientSecret": ""}), "clientSecret is missing"),
        (kept(my=OAUTH | {"clientId": 5}), "clientId is missing"),
        (kept(my=OAUTH | {"authMethod": "s3cret"}), "authMethod is none"),
        (kept(my=OAUTH | {"authMethod": ["s3cret"]}), "authMethod is missing or not"),
        (kept(my=CCG | {"enterpriseId": None}), "the decimal id"),
        (kept(my=CCG | {"ccgUser": "s3cret"}), "the decimal id"),
        (kept(my=CCG | AS_USER | {"defaultAsUserId": []}), "defaultAsUserId is"),
    ],
)
def test_the_member_that_is_wrong_is_named(text, words):
    """A missing or wrong member is named by its path, and no value is shown."""
    assert words in trouble(text)


@pytest.mark.parametrize(
    ("cache", "expected"),
    [
        ({"accessToken": "a", "refreshToken": "s3cret"}, Secret("s3cret")),
        ({"accessToken": "a", "refreshToken": ""}, None),
        ({"accessToken": "a"}, None),
    ],
)
def test_the_token_cache(cache, expected):
    """It has a refresh token after a login, and none else."""
    assert parse_token_cache(json.dumps(cache)) == expected


def test_a_damaged_token_cache():
    """What is no cache is said to be none, with what to do."""
    with pytest.raises(ValueError, match=r"no JSON object; run: box login"):
        parse_token_cache("[]")
    with pytest.raises(ValueError, match=r"refreshToken is missing or not a text"):
        parse_token_cache('{"refreshToken": 5}')


JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(), st.lists
) | st.sampled_from(["ccg", "oauth20"])
MEMBERS = st.dictionaries(st.sampled_from([*CCG, "ccgUser"]), JSON)


@given(
    st.text()
    | JSON.map(json.dumps)
    | st.dictionaries(st.text(), JSON | MEMBERS, max_size=2).map(
        lambda found: json.dumps({"environments": found})
    ),
    st.sampled_from(["", "my"]),
)
def test_no_text_raises_anything_else(text, wanted):
    """Whatever is kept, the answer is an environment or a ValueError."""
    with suppress(ValueError):
        assert parse_environments(text, wanted).profile.grant
    with suppress(ValueError):
        assert parse_token_cache(text) is None or "refreshToken" in text
