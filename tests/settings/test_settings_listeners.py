"""Listeners: each at its own address, beyond this machine for users only."""

import pytest

from everbearer.settings.model import Address, Listener
from settings.config_folder import DEV


def listeners(*tables):
    """Return a configuration with the tables as listeners."""
    return DEV + "".join(f"\n[[listeners]]\n{table}" for table in tables)


def test_listeners(folder):
    """Explicit and reverse ones, over both versions of IP."""
    settings = folder.load(
        listeners(
            'address = "127.0.0.1:8080"',
            'address = "[::1]:8082"\nreverse = "https://API.box.com"\nprofile = "dev"',
            'address = "127.0.0.2:8080"\nreverse = "https://upload-eu.app.box.com"',
        )
    )
    assert settings.listeners == (
        Listener(Address("127.0.0.1", 8080)),
        Listener(Address("::1", 8082), "api.box.com", "dev"),
        Listener(Address("127.0.0.2", 8080), "upload-eu.app.box.com"),
    )


@pytest.mark.parametrize(
    ("table", "path", "text"),
    [
        ('profile = "dev"', "address", "is missing"),
        ('address = "8080"', "address", '"127.0.0.1:8080"'),
        ('address = ":8080"', "address", '"127.0.0.1:8080"'),
        ('address = "localhost:81"', "address", '"127.0.0.1:81"'),
        ('address = "127.0.0.1"', "address", "host:port"),
        ('address = "127.0.0.1:0"', "address", "host:port"),
        ('address = "127.0.0.1:65536"', "address", "host:port"),
        ('address = "127.1:80"', "address", "127.0.0.1:8080"),
        ('address = "::1:80"', "address", '"[::1]:80"'),
        ('address = "0.0.0.0:80"', "address", "[[proxy.users]]"),
        ('address = "[::]:80"', "address", "[[proxy.users]]"),
        ('address = "192.168.1.2:80"', "address", "[[proxy.users]]"),
        ('address = "127.0.0.1:1"\nprofile = "dve"', "profile", '"dev"'),
        *(
            (f'address = "127.0.0.1:1"\nreverse = "{reverse}"', "reverse", text)
            for reverse, text in (
                ("http://api.box.com", '"https://api.box.com"'),
                ("https://api.box.com/", '"https://api.box.com"'),
                ("https://api.box.com:8443", '"https://api.box.com"'),
                ("https://u@api.box.com", '"https://api.box.com"'),
                ("https://*.box.com", '"https://api.box.com"'),
                ("https://10.0.0.1", "https://host"),
                ("api.box.com", '"https://api.box.com"'),
                ("https://example.com", 'hosts = ["example.com"]'),
            )
        ),
    ],
)
def test_a_wrong_listener(folder, table, path, text):
    """Each mistake has its place and its cure."""
    problem = folder.problem(listeners(table))
    assert problem.path == f"listeners[0].{path}"
    assert text in str(problem)


def test_one_address_twice(folder):
    """The later one is told, with the earlier one's place."""
    problem = folder.problem(listeners(*['address = "127.0.0.1:8080"'] * 2))
    assert problem.path == "listeners[1].address"
    assert "listeners[0] listens on 127.0.0.1:8080 already" in problem.message


def test_no_listener_at_all(folder):
    """An empty array would serve nobody."""
    assert folder.problem("listeners = []\n" + DEV).path == "listeners"


def test_a_reverse_listener_whose_rule_is_wrong(folder):
    """A rule that may have named the host is the mistake, not the listener."""
    toml = listeners('address = "127.0.0.1:1"\nreverse = "https://example.com"')
    toml += '\n[[rules]]\nhosts = ["https://example.com"]\nprofiles = ["dev"]'
    assert folder.problem(toml).path == "rules[0].hosts[0]"
    toml = toml.replace("https://example.com", "example.com", 1)
    assert "listeners[0].reverse" in [p.path for p in folder.problems(toml)]
