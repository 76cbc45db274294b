"""The tables `[proxy]`, `[store]` and `[network]`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from everbearer.policy.hosts import HostPattern
from everbearer.settings.changes import needs_restart
from everbearer.settings.model import (
    Address,
    ConnectTo,
    KeySource,
    ProxySettings,
    StoreSettings,
    Unmatched,
)
from settings.config_folder import CANARY, DEV


def certificate(encoding=Encoding.PEM):
    """Make a certificate that nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
        .public_bytes(encoding)
    )


def test_every_key_of_proxy(folder):
    """What is written is what the settings have."""
    settings = folder.load(
        DEV
        + """
        [proxy]
        redact = false
        replay_body_limit = "1MiB"
        spool_limit = 4096
        unmatched_hosts = "inspect"
        http2 = true
        browser_origins = ["https://app.example.com", "http://localhost:3000"]
        placeholder = "PUT-TOKEN-HERE"
        """
    )
    assert settings.proxy == ProxySettings(
        redact=False,
        replay_body_limit=1 << 20,
        spool_limit=4096,
        unmatched_hosts=Unmatched.INSPECT,
        http2=True,
        browser_origins=frozenset({"https://app.example.com", "http://localhost:3000"}),
        placeholder="PUT-TOKEN-HERE",
    )


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("https://App.example.com", "https://app.example.com"),
        ("https://app.example.com/", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("https://app.example.com/x?y#z", "https://app.example.com"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:81/", "http://[::1]:81"),
        ("http://evil.example.com", "https://app.example.com"),
        ("https://*.example.com", "https://app.example.com"),
        ("ftp://app.example.com", "https://app.example.com"),
        ("ftp://localhost", "https://app.example.com"),
        ("null", "https://app.example.com"),
        ("*", "https://app.example.com"),
    ],
)
def test_an_origin_that_no_browser_sends(folder, written, right):
    """An origin is compared as it is, so only the form that is sent is taken."""
    problem = folder.problem(f"proxy.browser_origins = ['{written}']\n{DEV}")
    assert problem.path == "proxy.browser_origins[0]"
    assert problem.fix == f'write: "{right}"'


@pytest.mark.parametrize(
    ("store", "path", "key"),
    [
        ("", "data/everbearer/tokens.db", "data/everbearer/store.key"),
        (
            'url = "sqlite:x/t.db"',
            "data/everbearer/x/t.db",
            "data/everbearer/x/store.key",
        ),
        ('url = "sqlite:/a/t.db"', "/a/t.db", "/a/store.key"),
        ('key = { file = "k" }', "data/everbearer/tokens.db", "k"),
    ],
)
def test_where_the_store_lies(folder, store, path, key):
    """In the user's data folder; a key that is named is beside the configuration."""
    settings = folder.load(f"{DEV}[store]\n{store}")
    assert settings.store == StoreSettings(
        folder.path / path,
        KeySource(file=folder.path / key),
        folder.path / "state" / "everbearer" / "rescue",
    )


def test_a_store_key_in_the_keyring(folder):
    """The entry is kept as it is written."""
    toml = 'store.key = { keyring = "everbearer/a" }\n' + DEV
    assert folder.load(toml).store.key == KeySource(keyring="everbearer/a")


def test_a_store_in_memory(folder):
    """It has neither file nor key."""
    settings = folder.load('store.url = "memory:"\n' + DEV)
    assert settings.store == StoreSettings(None, None)


@pytest.mark.parametrize(
    ("store", "path", "text"),
    [
        ('url = "oracle:x"', "url", "sqlite:PATH or postgresql://"),
        ('url = { env = "NOT_THERE" }', "url.env", "no NOT_THERE"),
        ('url = "tokens.db"', "url", "sqlite:tokens.db"),
        ('url = "sqlite:"', "url", "sqlite:tokens.db"),
        ('url = "sqlite:///a/t.db"', "url", '"sqlite:/a/path/tokens.db"'),
        ('url = "sqlite:~nobody-here/x"', "url", "home folder"),
        ("key = {}", "key", 'key = { file = "store.key" }'),
        (
            'key = { file = "a", keyring = "b/c" }',
            "key",
            "one of file, keyring and env",
        ),
        (f'key = {{ env = "{CANARY}" }}', "key", '"EVERBEARER_STORE_KEY"'),
        ('key = { keyring = "everbearer" }', "key", '"everbearer/store"'),
        ('key = { file = "~nobody-here/x" }', "key", "home folder"),
        ('url = "memory:"\nkey = { file = "a" }', "key", "needs no key"),
        ("key = { fle = 3 }", "key.fle", "write: file"),
    ],
)
def test_a_wrong_store(folder, store, path, text):
    """Each mistake has its place and its cure."""
    problems = folder.problems(f"{DEV}[store]\n{store}")
    assert problems[-1].path.startswith("store.key") or len(problems) == 1
    assert f"store.{path}" in [problem.path for problem in problems]
    assert text in "\n".join(map(str, problems))


def test_connect_to(folder):
    """Exact hosts come first, then the patterns that say more."""
    settings = folder.load(
        DEV
        + """
        [network.connect_to]
        "*.app.box.com:443" = "localhost:1"
        "upload-*.app.box.com:443" = "[::1]:2"
        "upload-eu.app.box.com:443" = "127.0.0.1:3"
        """
    )
    assert settings.network.connect_to == (
        ConnectTo(
            HostPattern.parse("upload-eu.app.box.com"), 443, Address("127.0.0.1", 3)
        ),
        ConnectTo(HostPattern.parse("upload-*.app.box.com"), 443, Address("::1", 2)),
        ConnectTo(HostPattern.parse("*.app.box.com"), 443, Address("localhost", 1)),
    )
    dialled = settings.network.dialled
    assert dialled("upload-eu.app.box.com", 443) == Address("127.0.0.1", 3)
    assert dialled("upload-us.app.box.com", 443) == Address("::1", 2)
    assert dialled("dl.app.box.com", 443) == Address("localhost", 1)
    assert dialled("app.box.com", 443) is None


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("api.box.com", "127.0.0.1:1", "host:port before"),
        ("api.box.com:https", "127.0.0.1:1", "host:port before"),
        ("api.box.com:0", "127.0.0.1:1", "host:port before"),
        ("*:443", "127.0.0.1:1", '"*.box.com"'),
        ("https://api.box.com:443", "127.0.0.1:1", 'use "api.box.com"'),
        ("api.box.com:443", "127.0.0.1", "host:port"),
        ("api.box.com:443", "a b:1", "127.0.0.1:8080"),
        ("api.box.com:443", "::1:1", '"[::1]:1"'),
    ],
)
def test_a_wrong_connect_to(folder, key, value, text):
    """Each entry is judged by itself."""
    problem = folder.problem(f'{DEV}[network.connect_to]\n"{key}" = "{value}"')
    assert problem.path.startswith("network.connect_to.")
    assert text in str(problem)


def test_one_host_twice_in_connect_to(folder):
    """Two spellings of one host contradict each other."""
    toml = DEV + '[network.connect_to]\n"a.com:1" = "b:1"\n"A.com:1" = "b:2"'
    assert "second entry for a.com:1" in folder.problem(toml).message


def test_a_ca_file(folder):
    """Certificates beside the configuration; the file is watched."""
    path = folder.write("ca.pem", certificate() + certificate())
    settings = folder.load('network.ca_file = "ca.pem"\n' + DEV)
    assert settings.network.ca_file == path
    assert path in settings.watched


def test_another_content_of_the_ca_file_needs_a_restart(folder):
    """The same file with other certificates in it is another one."""
    folder.write("ca.pem", certificate())
    toml = 'network.ca_file = "ca.pem"\n' + DEV
    before = folder.load(toml)
    assert needs_restart(before, folder.load(toml)) == ()
    folder.write("ca.pem", certificate())
    assert needs_restart(before, folder.load(toml)) == ("network.ca_file",)
    assert needs_restart(before, folder.load(DEV)) == ("network.ca_file",)


@pytest.mark.parametrize(
    ("table", "warned"),
    [
        ('spool_limit = "1MiB"', True),
        ('spool_limit = "1MiB"\nreplay_body_limit = "2MiB"', True),
        ('spool_limit = "1MiB"\nreplay_body_limit = "1MiB"', False),
        ("", False),
    ],
)
def test_a_spool_smaller_than_one_body_is_doubted(folder, table, warned):
    """What is promised for one request and cannot be held is a warning."""
    warnings = folder.load(f"{DEV}[proxy]\n{table}").warnings
    about = [text for text in warnings if "spool_limit" in text]
    assert bool(about) is warned
    assert not about or "1048576 bytes" in about[0]


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (b"", 0o600, "no certificate in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", 0o600, "PEM"),
        (certificate(Encoding.DER), 0o600, "openssl x509 -inform der"),
        (certificate(), 0o666, "chmod go-w"),
    ],
)
def test_a_wrong_ca_file(folder, content, mode, text):
    """Whom to trust is told by certificates that nobody else can change."""
    folder.write("ca.pem", content, mode=mode)
    problem = folder.problem('network.ca_file = "ca.pem"\n' + DEV)
    assert problem.path == "network.ca_file"
    assert str(folder.path / "ca.pem") in problem.message
    assert text in str(problem)


def test_an_absent_ca_file(folder):
    """It is named in full."""
    problem = folder.problem('network.ca_file = "~/no/such/file"\n' + DEV)
    assert f"{Path.home()}/no/such/file does not exist" in problem.message


@pytest.mark.parametrize(
    ("written", "proxy"),
    [
        ("http://Proxy:3128", "http://proxy:3128"),
        ("http://proxy:3128/", "http://proxy:3128"),
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_an_upstream_proxy(folder, written, proxy):
    """Host and port are all there is to it."""
    settings = folder.load(f'network.upstream_proxy = "{written}"\n{DEV}')
    assert settings.network.upstream_proxy == proxy


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("http://user:canary-7f3a@proxy:3128", "not supported"),
        ("proxy:3128", "http://host:port"),
        ("https://proxy:3128", "http://host:port"),
        ("http://proxy", "http://host:port"),
        ("http://proxy:3128/path", "http://host:port"),
        ("http://proxy:3128?x", "http://host:port"),
        ("http://proxy:0", "http://host:port"),
        ("http://[", "http://host:port"),
        ("http://a b:1", "http://host:port"),
    ],
)
def test_a_wrong_upstream_proxy(folder, written, text):
    """Credentials are refused without being repeated."""
    problem = folder.problem(f'network.upstream_proxy = "{written}"\n{DEV}')
    assert problem.path == "network.upstream_proxy"
    assert text in problem.message
