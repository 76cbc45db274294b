"""A profile is written whole or not at all, its secrets apart from it."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest

from everbearer.errors import ConfigError, StoreError
from everbearer.oauth.grants.contract import Subject
from everbearer.providers.foreign import ForeignKey, ForeignProfile
from everbearer.secret import Secret
from everbearer.settings.adopt import Text, adopt
from everbearer.settings.load import load
from needs import lack
from oauth.rsa_keys import PASSPHRASE, pem
from settings.config_folder import CANARY, DEV, ConfigFolder

LOGIN = ForeignProfile(
    "refresh_token",
    client_id="abc",
    client_secret=Secret(f"{CANARY}-client"),
    refresh_token=Secret(f"{CANARY}-seed"),
)
KEY_PAIR = ForeignProfile(
    "jwt_bearer",
    client_id="abc",
    client_secret=Secret(f"{CANARY}-client"),
    key=ForeignKey("kid", Secret(pem(passphrase=PASSPHRASE)), Secret(PASSPHRASE)),
    subject=Subject("enterprise", "1"),
    as_user="42",
)
TOKEN = ForeignProfile("", access_token=Secret(f"{CANARY}-token"))


def no_keyring():
    """Find no keyring."""
    raise StoreError("there is no keyring here")


class Writer:
    """Writes profiles into one configuration."""

    def __init__(self, folder: ConfigFolder, name: str = "config.toml") -> None:
        self.folder = folder
        self.path = folder.path / name

    def adopt(self, profile=LOGIN, name="new", keyring=no_keyring, **more):
        """Prepare one."""
        return adopt(
            self.path,
            self.folder.environ,
            profile,
            name,
            Text("About it.", "# Head.\n", "# Tail.\n"),
            keyring=keyring,
            **more,
        )

    def write(self, *arguments, **more):
        """Write one, and load what came out."""
        self.adopt(*arguments, **more).write()
        keyring = more.get("keyring", no_keyring)
        return load(self.path, self.folder.environ, keyring=keyring)

    def refused(self, *arguments, **more) -> str:
        """Return why one is not written, and see that nothing is."""
        before = snapshot(self.folder.path)
        with pytest.raises(ConfigError) as caught:
            self.adopt(*arguments, **more).write()
        assert snapshot(self.folder.path) == before
        assert CANARY not in repr(caught.value.problems)
        assert caught.value.hint == "nothing was written"
        return str(caught.value)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every name below, with mode and content."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def writer(folder):
    """Give a configuration that is yet to be made."""
    return Writer(folder)


@pytest.mark.parametrize("profile", [LOGIN, KEY_PAIR, TOKEN])
@pytest.mark.parametrize("place", ["file", "keyring"])
def test_a_first_configuration(writer, profile, place):
    """It has the profile, no secret, and mode 0600; every secret is found again."""
    keyring = no_keyring if place == "file" else writer.folder._find_keyring
    settings = writer.write(profile, keyring=keyring)
    text = writer.path.read_text()
    assert settings.warnings == ()
    assert settings.profiles["new"].as_user == profile.as_user
    assert settings.profiles["new"].access_token == profile.access_token
    assert CANARY not in text
    assert "PRIVATE" not in text
    assert text.startswith("# Head.\n\n# About it.\n[profiles.new]\n")
    assert text.endswith("# Tail.\n")
    assert stat.S_IMODE(writer.path.stat().st_mode) == 0o600
    kept = writer.folder.keyring.entries
    assert (place in text, bool(kept)) == (True, place == "keyring")
    for service, account in kept:
        assert (service, account.startswith("new-")) == ("everbearer", True)


def test_files_of_secrets_are_private(writer):
    """They have mode 0600, in a folder of mode 0700, whatever the umask."""
    before = os.umask(0)
    try:
        writer.write()
    finally:
        os.umask(before)
    folder = writer.folder.path / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert files == {"new-client-secret": 0o600, "new-refresh-token": 0o600}


def test_folders_above_are_made_private(folder):
    """A configuration may lie where there is nothing yet."""
    Writer(folder, "a/b/config.toml").write()
    assert (folder.path / "a").stat().st_mode & 0o777 == 0o700
    assert (folder.path / "a/b").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("profile", [LOGIN, KEY_PAIR, TOKEN])
def test_nothing_is_written_before_it_is_wanted(writer, profile):
    """A change that is only looked at leaves no trace, and shows no secret."""
    writer.folder.write("config.toml", DEV)
    before = snapshot(writer.folder.path)
    adoption = writer.adopt(profile, keyring=writer.folder._find_keyring)
    assert snapshot(writer.folder.path) == before
    assert writer.folder.keyring.entries == {}
    assert CANARY not in repr(adoption)
    assert "PRIVATE" not in repr(adoption)
    assert "+[profiles.new]" in adoption.difference
    assert adoption.default == "dev"


def test_an_existing_configuration_keeps_all_that_it_has(writer):
    """Text, mode and other profiles stay; the one that served is the default."""
    writer.folder.write("config.toml", f"# Mine.\n{DEV}\n# End.\n", mode=0o640)
    settings = writer.write()
    assert set(settings.profiles) == {"dev", "new"}
    assert settings.default_profile == "dev"
    assert f"{DEV}\n# End.\n\n# About it.\n" in writer.path.read_text()
    assert stat.S_IMODE(writer.path.stat().st_mode) == 0o640


def test_the_owner_stays(writer):
    """A file of another group is one afterwards, too."""
    groups = {*os.getgroups(), *([12345] if os.geteuid() == 0 else [])}
    groups -= {writer.folder.path.stat().st_gid, os.getegid()}
    if not groups:
        lack("groups", "this user is in one group only")
    path = writer.folder.write("config.toml", DEV)
    os.chown(path, -1, min(groups))
    writer.write()
    assert path.stat().st_gid == min(groups)


def test_a_profile_is_not_overwritten_unasked(writer):
    """The way to replace it is told; then its other settings stay."""
    writer.folder.write("config.toml", f'{DEV}as_user = "7"\n')
    assert "--replace" in writer.refused(name="dev")
    settings = writer.write(TOKEN, name="dev", again=True)
    assert settings.profiles["dev"].as_user == "7"
    assert settings.profiles["dev"].grant is None


def test_what_is_replaced_stays_until_it_is(writer):
    """Old secrets are left in their places, and named as unused."""
    writer.write()
    old = snapshot(writer.folder.path / "secrets")
    adoption = writer.adopt(again=True)
    adoption.write()
    now = snapshot(writer.folder.path / "secrets")
    assert old.items() < now.items()
    assert adoption.unused == (
        "file secrets/new-client-secret",
        "file secrets/new-refresh-token",
    )
    assert "new-client-secret-2" in now


def test_an_entry_of_the_keyring_is_never_overwritten(writer):
    """What another configuration keeps under that name stays."""
    entries = writer.folder.keyring.entries
    entries["everbearer", "new-access-token"] = "another's"
    writer.write(TOKEN, keyring=writer.folder._find_keyring)
    assert entries["everbearer", "new-access-token"] == "another's"
    assert entries["everbearer", "new-access-token-2"] == f"{CANARY}-token"


def test_a_symbolic_link_is_followed(writer):
    """The file that it names changes, and the link stays one; secrets lie beside it."""
    real = writer.folder.path / "real"
    real.mkdir(mode=0o700)
    (real / "mine.toml").write_text(DEV)
    writer.path.symlink_to("real/mine.toml")
    writer.write()
    assert writer.path.is_symlink()
    assert "[profiles.new]" in (real / "mine.toml").read_text()
    assert [path.name for path in real.iterdir()] == ["mine.toml"]
    assert (writer.folder.path / "secrets").is_dir()


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("profiles = [", "is not TOML in line 1"),
        ("frob = 5\n", "frob: unknown key"),
        (DEV.replace('"SECRET"', '"ABSENT"'), "the environment has no ABSENT"),
        (
            DEV.replace(f"{CANARY}-refresh", f"{CANARY}-seed"),
            "have the same refresh token",
        ),
        ('profiles = { a = { provider = "box", access_token = "t" } }', "by hand|edit"),
    ],
)
def test_a_configuration_that_check_refuses_is_left_alone(writer, toml, words):
    """What is wrong is told, and neither file nor secrets are written."""
    writer.folder.write("config.toml", toml)
    assert any(word in writer.refused() for word in words.split("|"))


@pytest.mark.parametrize("name", ["../x", "none", "a b", "x" * 65])
def test_a_name_is_one(writer, name):
    """A name that no profile has never becomes that of a file."""
    assert "name another with --profile" in writer.refused(name=name)


def test_a_folder_that_others_can_read_gets_no_secret(writer):
    """A folder of secrets that is open is refused, with what to do."""
    (writer.folder.path / "secrets").mkdir(mode=0o755)
    (writer.folder.path / "secrets").chmod(0o755)
    assert "chmod 700" in writer.refused()


def test_a_link_to_nothing_is_not_written_through(writer):
    """Where a link points to nothing, nothing is made there."""
    writer.path.symlink_to("absent.toml")
    assert "symbolic link to nothing" in writer.refused()


def test_a_file_that_is_not_to_be_written_is_not(writer):
    """A mode without w is meant."""
    writer.folder.write("config.toml", DEV, mode=0o400)
    assert "chmod u+w" in writer.refused()


@pytest.mark.parametrize("there", [True, False])
def test_what_others_write_meanwhile_is_not_lost(writer, there):
    """An edit between the look and the last step stays; the secrets do not."""
    if there:
        writer.folder.write("config.toml", DEV)
    adoption = writer.adopt()
    theirs = f"# Theirs.\n{DEV}"
    writer.folder.write("config.toml", theirs)
    with pytest.raises(ConfigError, match="meanwhile"):
        adoption.write()
    assert snapshot(writer.folder.path).keys() == {"config.toml"}
    assert writer.path.read_text() == theirs


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_step_that_fails_takes_the_others_back(folder, error):
    """Whatever comes in between, secrets and folders are gone as if never made."""
    writer = Writer(folder, "a/config.toml")

    @contextmanager
    def handover():
        assert (folder.path / "a/secrets/new-client-secret").exists()
        raise error
        yield

    with pytest.raises(error):
        writer.adopt().write(handover())
    assert snapshot(folder.path) == {}


def test_a_handover_is_told_of_a_failure(writer):
    """Who hands something over gets it back where the last step fails."""
    told = []

    @contextmanager
    def handover():
        writer.folder.write("config.toml", DEV)
        try:
            yield
        except BaseException as error:
            told.append(str(error))
            raise

    with pytest.raises(ConfigError):
        writer.adopt().write(handover())
    assert "was made meanwhile" in told[0]


def test_a_keyring_that_fails_is_taken_back(writer):
    """What it took before is removed again, and files are offered."""

    class Forgetful(type(writer.folder.keyring)):
        def set_password(self, service, username, password):
            if "refresh" not in username:
                super().set_password(service, username, password)

        def delete_password(self, service, username):
            del self.entries[service, username]

    keyring = Forgetful()
    assert "--secrets file" in writer.refused(keyring=lambda: keyring)
    assert keyring.entries == {}
    keyring.broken = RuntimeError(CANARY)
    assert "RuntimeError" in writer.refused(keyring=lambda: keyring)


def test_the_whole_is_read_once_more_before_it_counts(writer):
    """What cannot be read as it will be read later is not written."""

    class Fleeting(type(writer.folder.keyring)):
        reads = 0

        def get_password(self, service, username):
            self.reads += 1
            found = super().get_password(service, username)
            # Free, kept, and then gone.
            return found if self.reads <= 2 else None

        def delete_password(self, service, username):
            del self.entries[service, username]

    keyring = Fleeting()
    told = writer.refused(TOKEN, keyring=lambda: keyring)
    assert "profiles.new.access_token.keyring: the keyring has no entry" in told
    assert keyring.entries == {}


def test_a_folder_that_others_can_write_to_gets_no_configuration(writer):
    """Where `check` would not read it, it is not made."""
    writer.folder.path.chmod(0o777)
    assert "writable by others" in writer.refused()


def test_a_keyring_that_is_asked_for_has_to_be_there(writer):
    """Without one files are taken only where nobody asked for a keyring."""
    assert "--secrets file" in writer.refused(kind="keyring")


def test_files_can_be_asked_for(writer):
    """Where there is a keyring, files are still a choice."""
    writer.write(TOKEN, keyring=writer.folder._find_keyring, kind="file")
    assert writer.folder.keyring.entries == {}
    assert (writer.folder.path / "secrets/new-access-token").exists()
