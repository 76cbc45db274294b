"""`store.url` of PostgreSQL: what it names, and that its password is told nowhere."""

from dataclasses import replace

import pytest

from everbearer.settings.model import KeySource, PostgresSettings
from settings.config_folder import CANARY, DEV

KEY = 'key = { env = "STORE_KEY" }'


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://me@db.test/eb?sslmode=verify-full&sslrootcert=ca.pem",
            PostgresSettings(
                "db.test",
                5432,
                "me",
                "eb",
                tls=(("sslmode", "verify-full"), ("sslrootcert", "{folder}/ca.pem")),
            ),
        ),
        (
            "postgres://me@[::1]:6543/e%20b",
            PostgresSettings("::1", 6543, "me", "e b", tls=(("sslmode", "prefer"),)),
        ),
        (
            "postgresql://me@/eb?host=/run/postgresql",
            PostgresSettings(
                "/run/postgresql", 5432, "me", "eb", tls=(("sslmode", "prefer"),)
            ),
        ),
        (
            "postgresql://me@db.test/eb?sslmode=verify-full&sslrootcert=system",
            PostgresSettings(
                "db.test",
                5432,
                "me",
                "eb",
                tls=(("sslmode", "verify-full"), ("sslrootcert", "system")),
            ),
        ),
    ],
)
def test_a_store_in_postgresql(folder, url, expected):
    """The URL is taken apart; files in it are beside the configuration."""
    settings = folder.load(f'{DEV}[store]\nurl = "{url}"\n{KEY}')
    here = [(name, value.format(folder=folder.path)) for name, value in expected.tls]
    assert settings.store.path is None
    assert settings.store.key == KeySource(env="STORE_KEY")
    assert settings.store.postgres == replace(expected, tls=tuple(here))
    assert settings.store.scheme == "postgresql"
    assert not [each for each in settings.warnings if "store.url" in each]


def test_a_url_that_is_a_secret(folder):
    """A URL from elsewhere may have a password, without a warning, and shows none."""
    url = f"postgresql://me:{CANARY}%2F@127.0.0.1/eb"
    folder.environ["STORE_URL"] = url
    folder.write("url.txt", url + "\n")
    for source in ('env = "STORE_URL"', 'file = "url.txt"'):
        settings = folder.load(f"{DEV}[store]\nurl = {{ {source} }}\n{KEY}")
        assert settings.store.postgres.password.reveal() == f"{CANARY}/"
        assert CANARY not in f"{settings.store!r} {settings.store.postgres}"
        assert not [each for each in settings.warnings if "store" in each]


def test_a_password_in_the_configuration_is_warned_about(folder):
    """As any secret that stands there, without being told."""
    settings = folder.load(
        f'{DEV}[store]\nurl = "postgresql://me:{CANARY}@127.0.0.1/eb"\n{KEY}'
    )
    (warning,) = [each for each in settings.warnings if "store.url" in each]
    assert "stands in the configuration itself" in warning
    assert CANARY not in warning


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca"])
def test_a_server_that_nobody_verifies_is_warned_about(folder, mode):
    """Beyond this machine the certificate is checked, or the user is told."""
    settings = folder.load(
        f'{DEV}[store]\nurl = "postgresql://me@db.test/eb?sslmode={mode}"\n{KEY}'
    )
    (warning,) = [each for each in settings.warnings if "store.url" in each]
    assert f"sslmode={mode}" in warning


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (f"postgresql://me:{CANARY}@db.test/eb", "how the server is verified"),
        (f"postgresql://me:{CANARY}@db.test/eb?sslmode=on", "unknown sslmode"),
        (f"postgresql://me@127.0.0.1/eb?password={CANARY}", "1 parameters"),
        (f"postgresql://me@127.0.0.1/eb?{CANARY}", "not a URL"),
        (f"postgresql://me:{CANARY}@127.0.0.1:port/eb", "not a URL"),
        (f"postgresql://me:{CANARY}@[::1/eb", "not a URL"),
        (f"postgresql://:{CANARY}@127.0.0.1", "no user and no database"),
        (f"postgresql://me:{CANARY}@/eb", "no host"),
        (f"postgresql://me:{CANARY}@a,b/eb?sslmode=verify-full", "one host"),
    ],
)
def test_a_wrong_url_of_postgresql(folder, url, text):
    """Each mistake is told without the URL, which may hold a password."""
    problem = folder.problem(f'{DEV}[store]\nurl = "{url}"\n{KEY}')
    assert problem.path == "store.url"
    assert text in problem.message


def test_a_shared_store_has_its_key_named(folder):
    """Nothing is made in a folder of one machine for a store of several."""
    problem = folder.problem(f'{DEV}[store]\nurl = "postgresql://me@127.0.0.1/eb"')
    assert problem.path == "store.key"
    assert 'env = "EVERBEARER_STORE_KEY"' in problem.fix
