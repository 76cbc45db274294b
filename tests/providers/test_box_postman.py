"""The Postman environment lets Box's collections run without a secret."""

from __future__ import annotations

import pytest

from everbearer.policy.hosts import HostPattern
from everbearer.policy.view import Existing
from everbearer.providers import PROVIDERS
from everbearer.providers.box_postman import postman_environment
from everbearer.schemes.existing import classify

SECRETS = {"client_id", "client_secret", "refresh_token", "private_key_encrypted"}


@pytest.fixture
def values() -> dict[str, str]:
    """Return the variables that are switched on."""
    environment = postman_environment()
    return {each["key"]: each["value"] for each in environment["values"]}


def test_it_is_a_postman_environment():
    """It has what Postman knows an environment by, and each variable once."""
    environment = postman_environment()
    assert environment["name"]
    assert environment["_postman_variable_scope"] == "environment"
    keys = [each["key"] for each in environment["values"]]
    assert sorted(set(keys)) == sorted(keys)
    assert all(each["enabled"] is True for each in environment["values"])


def test_the_token_in_it_is_known_for_none(values):
    """What a collection sends with it is a placeholder, under any configuration."""
    found = classify(
        (f"Bearer {values['access_token']}",),
        placeholder="",
        issued=lambda _: frozenset(),
        redeemed=lambda _: frozenset(),
        rejected_for=lambda _: frozenset(),
    )
    assert found.kind is Existing.PLACEHOLDER


def test_postman_does_not_resolve_the_token(values):
    """No value refers to a variable, so that what is sent is what stands there."""
    assert not [value for value in values.values() if "{{" in value]


def test_no_secret_is_in_it(values):
    """There is no variable for one: nobody is led to fill it in."""
    assert not SECRETS & values.keys()


def test_the_collections_scripts_go_by(values):
    """Classic finds nothing expired and does not refresh, advanced leaves it alone."""
    assert "expires_at" not in values
    assert values["enable_auto_refresh_access_token"] != "true"
    assert values["box_env_type"] == "BEARER"


def test_hosts_of_the_api_are_those_of_the_rules(values):
    """A host's variable is the host itself, and what gets the token is ruled."""
    hosts = {key: value for key, value in values.items() if key.endswith(".com")}
    assert hosts == {key: key for key in hosts}
    ruled = [host for rule in PROVIDERS["box"].injecting for host in rule.hosts]
    for key in ("api.box.com", "upload.box.com", "box-upload-server"):
        assert any(HostPattern.matches(host, values[key]) for host in ruled), key
