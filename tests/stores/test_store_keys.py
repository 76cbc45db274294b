"""A store's key: made once, kept from others, never guessed."""

import base64
import os
import re
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import keyring
import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import pytest

from everbearer.errors import StoreError
from everbearer.secret import Secret
from everbearer.stores.cipher import new_key
from everbearer.stores.keys import EnvKey, FileKey, KeyringKey, key_place, real_keyring
from everbearer.stores.sqlite import SqliteStore


class FakeKeyring:
    """Keeps passwords as a keyring of the operating system does."""

    def __init__(self):
        self.kept = {}
        self.written = 0

    def get_password(self, service, username):
        """Return the password."""
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        """Keep the password."""
        self.written += 1
        self.kept[service, username] = password


class LockedKeyring(FakeKeyring):
    """Refuses, and tells more than it should."""

    def get_password(self, service, username):
        """Refuse."""
        raise PermissionError(f"canary {service} {username}")


class ReadOnlyKeyring(FakeKeyring):
    """Refuses to be written."""

    def set_password(self, service, username, password):
        """Refuse."""
        raise TimeoutError(f"canary {service} {username} {password}")


class ForgetfulKeyring(FakeKeyring):
    """Accepts everything and keeps nothing."""

    def set_password(self, service, username, password):
        """Write, and lose it at once."""
        super().set_password(service, username, password)
        self.kept.clear()


def in_keyring(backend):
    """Return a key's place in a keyring."""
    return KeyringKey("everbearer", "key", lambda: backend)


@pytest.fixture
def key(tmp_path):
    """Return a key's place in a folder that is missing at first."""
    return FileKey(tmp_path / "config" / "store.key")


def mode(path):
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_made_key_is_private(umask, key):
    """The file is 0600 in a folder of 0700, whatever the umask, and alone there."""
    key.make()

    assert mode(key.path) == 0o600
    assert mode(key.path.parent) == 0o700
    assert list(key.path.parent.iterdir()) == [key.path]


def test_made_key_is_read_again(key):
    """What `make` returned is what `read` returns; 32 bytes in base64."""
    assert key.read() is None
    made = key.make()

    assert key.read() == made
    assert len(base64.b64decode(key.path.read_bytes())) == 32


def test_key_is_made_once(key):
    """A key that is there is never replaced, also by those who begin at once."""
    barrier = threading.Barrier(4)

    def make(_):
        barrier.wait()
        return key.make().reveal()

    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(make, range(4)))

    assert keys == {key.make().reveal()}
    assert list(key.path.parent.iterdir()) == [key.path]


@pytest.mark.parametrize("wider", [0o640, 0o604, 0o660, 0o666, 0o644, 0o700 | 0o001])
def test_wide_key_is_refused(key, wider):
    """A file that lets others in is refused with the command that mends it."""
    key.make()
    key.path.chmod(wider)

    with pytest.raises(StoreError, match=f"mode {wider:04o}") as caught:
        key.read()
    assert caught.value.hint == f"run: chmod 600 {key.path}"


def test_folder_that_others_write_is_refused(key):
    """Where others could put a key of theirs, none is read and none is made."""
    key.make()
    key.path.parent.chmod(0o777)

    for use in (key.read, key.make):
        with pytest.raises(StoreError) as caught:
            use()
        assert caught.value.hint == f"run: chmod go-w {key.path.parent}"


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"short", b"A" * 43, b"A" * 45, bytes(range(256)), b"A" * 2000],
)
def test_damaged_key_is_refused(key, content):
    """A file without a whole key is refused, named, and left as it is."""
    key.make()
    key.path.write_bytes(content)

    for use in (key.read, key.make):
        with pytest.raises(StoreError, match="damaged") as caught:
            use()
        assert str(key.path) in caught.value.message
    assert key.path.read_bytes() == content


def test_symbolic_link_is_followed_to_its_file(key, tmp_path):
    """A key may be linked; the mode that counts is the file's own."""
    made = key.make()
    link = FileKey(tmp_path / "linked.key")
    link.path.symlink_to(key.path)
    assert link.read() == made

    key.path.chmod(0o644)
    with pytest.raises(StoreError, match="0644"):
        link.read()


def test_link_to_nothing_makes_nothing(key, tmp_path):
    """No key is written through a dangling link."""
    target = tmp_path / "elsewhere"
    link = FileKey(tmp_path / "linked.key")
    link.path.symlink_to(target)

    with pytest.raises(StoreError, match="link to nothing"):
        link.make()
    assert not target.exists()


def test_what_is_no_file_is_refused(key):
    """A folder or a pipe in the key's place is named, and never waited for."""
    key.path.mkdir(parents=True)
    with pytest.raises(StoreError, match="is not a file"):
        key.read()

    key.path.rmdir()
    os.mkfifo(key.path, 0o600)
    with pytest.raises(StoreError, match="is not a file"):
        key.read()


def test_keyring_keeps_the_key():
    """The key is the entry's password, and made once."""
    key = in_keyring(FakeKeyring())
    assert key.read() is None
    made = key.make()

    assert key.read() == made
    assert key.find().kept == {("everbearer", "key"): made.reveal()}


def test_locked_keyring_is_not_an_empty_one():
    """A keyring that refuses is an error without its text, and nothing is made."""
    backend = LockedKeyring()
    for use in (in_keyring(backend).read, in_keyring(backend).make):
        with pytest.raises(StoreError, match="cannot be reached") as caught:
            use()
        assert "canary" not in str(caught.value)


def test_keyring_that_refuses_to_write_is_an_error():
    """A keyring that cannot be written is an error without its text."""
    with pytest.raises(StoreError, match="cannot be reached: TimeoutError") as caught:
        in_keyring(ReadOnlyKeyring()).make()
    assert "canary" not in str(caught.value)


@pytest.fixture
def no_keyring(real):
    """Configure the library to have no keyring, as on a server."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


def test_machine_without_keyring_is_told_so(no_keyring):
    """Where the system has no keyring, the library's stand-in is not used."""
    key = KeyringKey("everbearer", "key")
    for use in (key.read, key.make):
        with pytest.raises(StoreError, match="no keyring of the operating system"):
            use()


def test_forgetful_keyring_is_found_out():
    """A keyring that keeps nothing is not believed."""
    with pytest.raises(StoreError, match="does not keep"):
        in_keyring(ForgetfulKeyring()).make()


def test_damaged_entry_is_refused():
    """An entry that is no key is named and left as it is."""
    backend = FakeKeyring()
    backend.kept["everbearer", "key"] = "hunter2"

    with pytest.raises(StoreError, match="everbearer/key is damaged") as caught:
        in_keyring(backend).read()
    assert "hunter2" not in str(caught.value)


def backend_of(module):
    """Return a keyring whose class lives in *module*."""
    return type("Keyring", (FakeKeyring,), {"__module__": module})()


@pytest.mark.parametrize(
    "module",
    [
        "keyring.backends.SecretService",
        "keyring.backends.kwallet",
        "keyring.backends.libsecret",
        "keyring.backends.macOS",
    ],
)
def test_keyrings_of_the_system_count(module):
    """What the operating system guards is used as it is, or out of a chain."""
    real = backend_of(module)
    chain = keyring.backends.chainer.ChainerBackend()
    assert real_keyring(real) is real

    class Chain(type(chain)):
        backends = (backend_of("keyrings.alt.file"), real)

    assert real_keyring(Chain()) is real


@pytest.mark.parametrize(
    "found",
    [
        keyring.backends.fail.Keyring(),
        keyring.backends.null.Keyring(),
        keyring.backends.chainer.ChainerBackend(),
        backend_of("keyrings.alt.file"),
        backend_of("keyring.backends.macOSlike"),
    ],
    ids=lambda found: type(found).__module__,
)
@pytest.mark.real
def test_no_other_keyring_counts(found):
    """A keyring that fails, forgets, chains nothing or writes files is refused."""
    if getattr(found, "backends", None):
        pytest.skip("this machine has a keyring of its own to chain")
    with pytest.raises(StoreError, match=type(found).__module__):
        real_keyring(found)


def test_source_names_the_place(tmp_path):
    """A file's path and "service/account" become what they name."""

    class Source:
        def __init__(self, file=None, keyring="", env=""):
            self.file = file
            self.keyring = keyring
            self.env = env

    assert key_place(Source(file=tmp_path)) == FileKey(tmp_path)
    assert key_place(Source(keyring="a/b/c")) == KeyringKey("a", "b/c")
    assert key_place(Source(env="STORE_KEY")) == EnvKey("STORE_KEY")


async def test_store_takes_its_key_from_the_keyring(tmp_path):
    """A store made with a keyring opens with it again, and only with it."""
    key = in_keyring(FakeKeyring())
    for _ in range(2):
        await SqliteStore.open(tmp_path / "s" / "tokens.db", key).close()
    assert key.find().written == 1

    with pytest.raises(StoreError, match="of the kind keyring") as caught:
        SqliteStore.open(tmp_path / "s" / "tokens.db", FileKey(tmp_path / "k"))
    assert str(tmp_path / "k") in caught.value.message
    assert not (tmp_path / "k").exists()


async def test_two_that_begin_at_once_write_one_key(tmp_path):
    """Of two that open an empty place with a keyring, one writes the key."""
    key = in_keyring(FakeKeyring())
    barrier = threading.Barrier(2)

    def open_store(_):
        barrier.wait()
        return SqliteStore.open(tmp_path / "s" / "tokens.db", key)

    with ThreadPoolExecutor(2) as pool:
        stores = list(pool.map(open_store, range(2)))
    for store in stores:
        await store.close()

    assert key.find().written == 1


def test_environment_gives_the_key():
    """A variable holds the key, with or without a line break, and shows nowhere."""
    key = new_key().reveal()
    place = EnvKey("STORE_KEY", {"STORE_KEY": f"{key}\n"})

    assert place.read() == Secret(key)
    assert key not in f"{place} {place!r}"


@pytest.mark.real
def test_missing_variable_is_not_made():
    """Nothing makes the variable; the hint's command does, in its own shell."""
    place = EnvKey("STORE_KEY", {})
    assert place.read() is None
    with pytest.raises(StoreError, match="no STORE_KEY") as caught:
        place.make()

    command = re.search(r"make one once: (.+); keep", caught.value.hint)[1]
    made = subprocess.check_output(["sh", "-c", f"{command}; printf %s $STORE_KEY"])
    assert EnvKey("STORE_KEY", {"STORE_KEY": made.decode()}).read()


def test_damaged_variable_is_refused():
    """A variable that holds no key is named and not quoted."""
    with pytest.raises(StoreError, match="STORE_KEY is damaged") as caught:
        EnvKey("STORE_KEY", {"STORE_KEY": "hunter2"}).read()
    assert "hunter2" not in str(caught.value)


async def test_store_takes_its_key_from_the_environment(tmp_path):
    """A store made with a variable opens with it again, and with no other key."""
    path, key = tmp_path / "s" / "tokens.db", new_key().reveal()
    for _ in range(2):
        await SqliteStore.open(path, EnvKey("KEY", {"KEY": key})).close()

    with pytest.raises(StoreError, match="another key"):
        SqliteStore.open(path, EnvKey("KEY", {"KEY": new_key().reveal()}))
    with pytest.raises(StoreError, match="is missing: the environment's variable KEY"):
        SqliteStore.open(path, EnvKey("KEY", {}))


def test_a_key_shows_nowhere(key):
    """Neither places nor keys show a key."""
    made = key.make()
    backend = FakeKeyring()
    place = in_keyring(backend)
    place.make()

    shown = f"{key!r} {key} {made!r} {made} {place!r} {place}"
    assert made.reveal() not in shown
    assert isinstance(made, Secret)
    assert new_key() != made
