"""What other programs keep is read where they keep it, and taken away or left."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable

import pytest

from everbearer.errors import ConfigError, StoreError
from everbearer.providers.box_cli import parse_environments
from everbearer.settings.foreign import Kept, find_box_cli, read
from everbearer.settings.problems import Mistake
from everbearer.stores.keys import keytar_keyring
from settings.config_folder import CANARY, FakeKeyring

LOGIN = json.dumps(
    {
        "environments": {
            "my": {
                "clientId": "abc",
                "clientSecret": CANARY,
                "authMethod": "oauth20",
            }
        }
    }
)
CACHE = json.dumps({"accessToken": CANARY, "refreshToken": f"{CANARY}-seed"})


class Keyring(FakeKeyring):
    """A keyring that forgets on demand."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep what is given."""
        if self.broken:
            raise self.broken
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        """Forget what is kept."""
        if self.broken:
            raise self.broken
        del self.entries[service, username]


def no_keyring():
    """Find no keyring."""
    raise StoreError("there is no keyring here")


@pytest.fixture(params=["file", "keyring"])
def kept(request, tmp_path):
    """Give a token cache that the Box CLI keeps, and a function that reads it."""
    keyring = Keyring()
    folder = tmp_path / ".box"
    folder.mkdir()
    if request.param == "file":
        (folder / "box_environments.json").write_text(LOGIN)
        (folder / "my_token_cache.json").write_text(CACHE)
        found = find_box_cli(None, tmp_path, no_keyring)
    else:
        keyring.entries["boxcli", "Box"] = LOGIN
        keyring.entries["boxcli-token-my", "Box"] = CACHE
        found = find_box_cli(None, tmp_path, lambda: keyring)
    tokens = found.tokens(parse_environments(found.environments().text))
    assert tokens.text == CACHE
    assert CANARY not in repr(tokens)

    def now():
        files = {path.name: path.read_text() for path in folder.iterdir()}
        entries = {service: text for (service, _), text in keyring.entries.items()}
        return (files | entries).get(
            "my_token_cache.json" if request.param == "file" else "boxcli-token-my"
        ), len(files | entries)

    def change(text):
        if request.param == "file":
            (folder / "my_token_cache.json").write_text(text)
        else:
            keyring.entries["boxcli-token-my", "Box"] = text

    return tokens, now, change


def interrupted(kept: Kept, meanwhile: Callable[[], object]) -> None:
    """Take it, and fail at the last step."""
    with kept.taken():
        meanwhile()
        raise KeyboardInterrupt


def test_what_is_taken_is_gone(kept):
    """While it is taken and afterwards its owner has nothing, nor a copy of it."""
    tokens, now, _ = kept
    with tokens.taken():
        assert now()[0] is None
    assert now() == (None, 1)


def test_what_is_not_wanted_after_all_is_put_back(kept):
    """Where the last step fails, its owner has it as before."""
    tokens, now, _ = kept
    with pytest.raises(KeyboardInterrupt), tokens.taken():
        raise KeyboardInterrupt
    assert now() == (CACHE, 2)


def test_what_changed_meanwhile_is_left_alone(kept):
    """A token that its owner has renewed since is not taken: ours would be dead."""
    tokens, now, change = kept
    change(f"{CACHE} ")
    with pytest.raises(Mistake, match="changed meanwhile"), tokens.taken():
        pytest.fail("it was taken")
    assert now() == (f"{CACHE} ", 2)


def test_one_made_meanwhile_is_the_newer(tmp_path):
    """A file is not overwritten by what is put back, and nothing else is left."""
    path = tmp_path / "my_token_cache.json"
    path.write_text(CACHE)
    tokens = find_box_cli(tmp_path, tmp_path).tokens(parse_environments(LOGIN))
    with pytest.raises(KeyboardInterrupt):
        interrupted(tokens, lambda: path.write_text("newer"))
    assert [each.read_text() for each in tmp_path.iterdir()] == ["newer"]


@pytest.fixture
def without_links(monkeypatch):
    """Refuse hard links, as vfat, exFAT and many mounts do."""

    def link(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


@pytest.mark.usefixtures("without_links")
def test_it_is_put_back_where_there_are_no_hard_links(kept):
    """The only refresh token of a login is nobody's to lose."""
    test_what_is_not_wanted_after_all_is_put_back(kept)


def test_a_file_that_cannot_be_put_back_is_kept(tmp_path):
    """Its folder is gone from its name meanwhile: it is told where the content is."""
    folder = tmp_path / "box"
    folder.mkdir()
    (folder / "my_token_cache.json").write_text(CACHE)
    tokens = find_box_cli(folder, tmp_path).tokens(parse_environments(LOGIN))
    moved = tmp_path / "moved"
    with pytest.raises(Mistake, match="cannot be put back") as caught:
        interrupted(tokens, lambda: folder.rename(moved))
    assert CANARY not in f"{caught.value.message} {caught.value.fix}"
    (left,) = moved.iterdir()
    assert left.read_text() == CACHE
    assert left.name in caught.value.message
    assert caught.value.fix.startswith("run: mv ")


def test_an_entry_that_cannot_be_put_back_is_kept(tmp_path, monkeypatch):
    """The keyring was locked meanwhile: a private file has it, and is named."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    keyring = Keyring()
    keyring.entries["boxcli-token-my", "Box"] = CACHE
    found = find_box_cli(None, tmp_path, lambda: keyring)
    tokens = found.tokens(parse_environments(LOGIN))
    with pytest.raises(Mistake, match="cannot be put back") as caught:
        interrupted(tokens, lambda: setattr(keyring, "broken", OSError(CANARY)))
    assert CANARY not in f"{caught.value.message} {caught.value.fix}"
    (left,) = (tmp_path / "data").rglob("*.json")
    assert str(left) in caught.value.message
    assert left.read_text() == CACHE
    assert left.stat().st_mode & 0o777 == 0o600


def test_a_link_leads_to_what_is_taken(tmp_path):
    """Where the file is a symbolic link, what it names is gone as well."""
    real = tmp_path / "real"
    real.write_text(CACHE)
    (tmp_path / "my_token_cache.json").symlink_to(real)
    found = find_box_cli(tmp_path, tmp_path)
    with found.tokens(parse_environments(LOGIN)).taken():
        pass
    assert not real.exists()


def test_a_file_that_cannot_be_moved(tmp_path):
    """Where it is gone meanwhile, that is told."""
    (tmp_path / "my_token_cache.json").write_text(CACHE)
    found = find_box_cli(tmp_path, tmp_path)
    tokens = found.tokens(parse_environments(LOGIN))
    (tmp_path / "my_token_cache.json").unlink()
    with pytest.raises(Mistake, match="cannot be moved"), tokens.taken():
        pytest.fail("it was taken")


def test_a_keyring_that_fails(tmp_path):
    """It is named by its error's kind, and nothing that it said is told."""
    keyring = Keyring()
    keyring.entries["boxcli-token-my", "Box"] = CACHE
    found = find_box_cli(None, tmp_path, lambda: keyring)
    tokens = found.tokens(parse_environments(LOGIN))
    keyring.broken = RuntimeError(CANARY)
    with pytest.raises(Mistake, match="RuntimeError") as mistake, tokens.taken():
        pytest.fail("it was taken")
    assert CANARY not in str(mistake.value)
    with pytest.raises(ConfigError, match="RuntimeError"):
        found.environments()


def test_a_named_folder_alone_is_looked_at(tmp_path):
    """With a folder the keyring has no say, and what is not there is told."""
    keyring = Keyring()
    keyring.entries["boxcli", "Box"] = LOGIN
    with pytest.raises(ConfigError, match="has no environments in"):
        find_box_cli(tmp_path, tmp_path, lambda: keyring).environments()
    assert find_box_cli(None, tmp_path, lambda: keyring).environments().text == LOGIN


def test_a_file_that_is_none(tmp_path):
    """What cannot be read is told with its name and what to do."""
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name, words in (
        ("absent", "does not exist; name the right file"),
        ("bytes", "not UTF-8 text"),
        (".", "is a folder"),
    ):
        with pytest.raises(ConfigError, match=words):
            read(tmp_path / name, str)


def test_another_system_keyring_is_used_as_it_is():
    """Only the Secret Service has names of its own for what keytar keeps."""
    keyring = Keyring()
    assert keytar_keyring(lambda: keyring) is keyring
