"""The examples in config/ work, and its README names every key there is."""

import json
import re
import shutil
from pathlib import Path
from typing import get_args, get_origin

import pytest

from everbearer.settings.document import Document, SecretTable, Table
from everbearer.settings.load import load
from oauth.rsa_keys import PASSPHRASE, pem

CONFIG = Path(__file__).parents[1] / "config"
EXAMPLES = sorted(CONFIG.glob("*.toml"))

ENVIRON = {
    "BOX_CLIENT_SECRET": "secret",
    "BOX_DEVELOPER_TOKEN": "token",
    "EVERBEARER_STORE_URL": "postgresql://u:pw@db.test/eb?sslmode=verify-full",
}

PROFILES = {
    "client_credentials": ["service"],
    "developer_token": ["me"],
    "jwt_bearer": ["service"],
    "refresh_token": ["dev"],
    "reverse": ["reader", "writer"],
    "team-postgres": ["service"],
}


@pytest.fixture
def copy(tmp_path):
    """Give a function that copies an example to where its secrets lie."""

    def copied(example):
        box = {
            "boxAppSettings": {
                "clientID": "id",
                "clientSecret": "secret",
                "appAuth": {
                    "publicKeyID": "kid",
                    "privateKey": pem(passphrase=PASSPHRASE),
                    "passphrase": PASSPHRASE,
                },
            },
            "enterpriseID": "1234567",
        }
        files = {
            "box_config.json": json.dumps(box),
            "refresh_token.txt": "seed\n",
        }
        for name, content in files.items():
            (tmp_path / name).write_text(content)
            (tmp_path / name).chmod(0o600)
        path = Path(shutil.copy(example, tmp_path))
        path.chmod(0o600)
        return path

    return copied


def test_the_examples_are_these():
    """There is one per grant, for a developer token, for rules, for a team."""
    assert [example.stem for example in EXAMPLES] == sorted(PROFILES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_works(copy, tmp_path, example):
    """With its secrets in place it loads, without any warning."""
    settings = load(
        copy(example), ENVIRON, user_data_dir=tmp_path, user_state_dir=tmp_path
    )
    assert list(settings.profiles) == PROFILES[example.stem]
    assert settings.warnings == ()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_stands_in_the_readme(example):
    """The README leads to it."""
    assert f"({example.name})" in README


README = (CONFIG / "README.md").read_text()


def keys(table, prefix=""):
    """Yield every key that the table's model accepts, as the README writes it."""
    for name, field in table.model_fields.items():
        inner = tables_in(field.annotation)
        if not inner or SecretTable in inner:
            yield f"{prefix}{name}"
        else:
            named = ".NAME" if get_origin(field.annotation) is dict else ""
            yield from keys(inner[0], f"{prefix}{name}{named}.")


def tables_in(annotation):
    """Return the models that an annotation speaks of."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return [annotation] if issubclass(annotation, Table) else []
    return [table for part in get_args(annotation) for table in tables_in(part)]


def test_the_readme_names_every_key_and_no_other():
    """The tables are the reference: no key is missing, none is made up."""
    told = re.findall(r"^\| `([A-Za-z0-9_.]+)` \|", README, re.MULTILINE)
    known = [*keys(Document), *keys(SecretTable, "SECRET.")]
    assert sorted(told) == sorted(known)


def test_the_readme_says_which_keys_are_secrets():
    """Where a secret is taken, the README says so, and nowhere else."""
    told = set(
        re.findall(
            r"^\| `profiles\.NAME\.([a-z_.]+)` \| secret \|", README, re.MULTILINE
        )
    )
    assert told == {
        "access_token",
        "client_secret",
        "refresh_token",
        "jwt.private_key",
        "jwt.passphrase",
    }
