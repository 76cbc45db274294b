"""A grant that the package knows nothing of, from the configuration to a token."""

from __future__ import annotations

from pathlib import Path

from everbearer.oauth.grants import GRANTS
from everbearer.providers import PROVIDERS
from everbearer.secret import Secret
from everbearer.settings.document import ProfileTable
from everbearer.settings.model import NetworkSettings, Profile
from everbearer.settings.problems import Problems
from everbearer.settings.profiles import build_profiles
from everbearer.settings.secrets import SecretReader, Surroundings
from oauth.toy_grant import Toy
from renewal.bench import Bench
from renewal.virtual_time import virtual

# One file and one entry are all that another grant needs.
TABLE = {**GRANTS, Toy.name: Toy}

PROFILE = {
    "provider": "box",
    "grant": "toy",
    "client_id": "client",
    "client_secret": "hush",
    "subject": {"type": "user", "id": "7"},
}


def configured(**changes: object) -> tuple[dict[str, Profile], list[str]]:
    """Return the profiles of a configuration, and what is wrong with it."""
    around = Surroundings(
        Path("/"),
        exposed=False,
        environ={},
        uid=0,
        keyring=lambda: None,
        command_timeout=1.0,
    )
    problems = Problems()
    table = ProfileTable.model_validate({**PROFILE, **changes})
    profiles = build_profiles(
        {"dev": table},
        SecretReader(around, problems),
        PROVIDERS,
        TABLE,
        NetworkSettings(),
    )
    return profiles, [str(problem) for problem in problems.ordered()]


def test_a_profile_has_it():
    """Its name leads to it, and the keys that it uses are read."""
    profiles, problems = configured()

    assert problems == []
    assert profiles["dev"].grant == Toy("client", Secret("hush"), "user 7")
    assert profiles["dev"].key.grant == "toy"


def test_what_it_uses_must_be_there():
    """A key that is missing, and one that it does not use, are told as ever."""
    profiles, problems = configured(subject=None, refresh_token="x")

    assert profiles == {}
    assert [text.partition(":")[0] for text in problems] == [
        "profiles.dev.refresh_token",
        "profiles.dev.subject",
    ]
    assert 'has no meaning with grant = "toy"' in problems[0]


@virtual
async def test_it_obtains_tokens():
    """Renewal sends what it builds, with a new nonce for each attempt."""
    (profile,) = configured()[0].values()
    bench = Bench(profile.grant, profile=profile)

    assert await bench.request() == 200
    await bench.manager.renew()

    oaths = {form["oath"] for form in bench.server.requests}
    assert len(oaths) == 2
    assert {form["grant_type"] for form in bench.server.requests} == {"toy"}
