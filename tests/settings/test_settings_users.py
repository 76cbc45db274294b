"""Users: each with a name and a hash of his own, and profiles that there are."""

from __future__ import annotations

import pytest

from everbearer.secret import Secret
from everbearer.settings.rules import rule_set
from settings.config_folder import DEV

PASSWORD = "correct horse battery staple"
PHC = (
    "$argon2id$v=19$m=65536,t=3,p=4$"
    "TqTqFBYD6pF32FL91rjdxA$OUzesVhHJTUi1oMsZ6qfi+RRUXcSvT+AvwlkKabqSxA"
)


def users(*tables: str) -> str:
    """Return a configuration with the tables as users."""
    return DEV + "".join(f"\n[[proxy.users]]\n{table}\n" for table in tables)


def sound(name: str = "alice") -> str:
    """Return a user without mistakes."""
    return f'name = "{name}"\npassword_hash = "{PHC}"'


def test_users(folder):
    """Name, hash and profiles; there is no warning, and the rules are guarded."""
    settings = folder.load(
        users(sound(), sound("bob@example.com") + '\nprofiles = ["dev"]')
    )
    alice, bob = settings.proxy.users
    assert (alice.name, alice.profiles) == ("alice", ())
    assert (bob.name, bob.profiles) == ("bob@example.com", ("dev",))
    assert alice.password.verify(Secret(PASSWORD))
    assert PHC not in repr(settings)
    assert not any("users" in warning for warning in settings.warnings)
    assert rule_set(settings).guarded


def test_without_users_nothing_is_guarded(folder):
    """Loopback alone protects, as ever."""
    assert folder.load(DEV).proxy.users == ()
    assert not rule_set(folder.load(DEV)).guarded


@pytest.mark.parametrize(
    ("table", "path", "text"),
    [
        (f'password_hash = "{PHC}"', "name", "is missing"),
        (sound().replace("alice", "al:ice"), "name", "begins with a letter"),
        (sound().replace("alice", ""), "name", "begins with a letter"),
        ('name = "alice"', "password_hash", "everbearer user alice"),
        (sound().replace(PHC, PASSWORD), "password_hash", "is no hash"),
        (sound().replace(PHC, ""), "password_hash", "is no hash"),
        (sound().replace(PHC, "$2b$12$abc"), "password_hash", "not an argon2id"),
        (sound().replace("m=65536", "m=8"), "password_hash", "too cheap"),
        (sound().replace("m=65536", "m=9999999"), "password_hash", "too dear"),
        (sound() + '\nprofiles = ["dve"]', "profiles[0]", '"dev"'),
        (sound() + "\nprofiles = []", "profiles", "is empty"),
        (sound() + '\npassword = "x"', "password", "unknown key"),
    ],
)
def test_a_wrong_user(folder, table, path, text):
    """Each mistake has its place and its cure, and quotes nothing secret."""
    problems = folder.problems(users(table))
    [problem] = [p for p in problems if p.path == f"proxy.users[0].{path}"]
    assert text in str(problem)
    assert PASSWORD not in str(problems)
    assert PHC.rpartition("$")[2] not in str(problems)


def test_one_name_twice(folder):
    """Nobody could tell whose hash it is."""
    problem = folder.problem(users(sound(), sound("bob"), sound()))
    assert problem.path == "proxy.users[2].name"
    assert "proxy.users[0] has this name already" in problem.message


def test_no_user_at_all(folder):
    """An empty array says neither everybody nor nobody."""
    assert folder.problem("[proxy]\nusers = []\n" + DEV).path == "proxy.users"


@pytest.mark.parametrize("address", ["0.0.0.0:80", "[::]:80", "192.168.1.2:80"])
def test_users_open_listeners_to_other_machines(folder, address):
    """With users any address is listened to, with one mistaken none is blamed."""
    listener = f'\n[[listeners]]\naddress = "{address}"\n'
    assert folder.load(users(sound()) + listener).listeners
    assert folder.problem(users('name = "a"') + listener).path.startswith("proxy.users")
