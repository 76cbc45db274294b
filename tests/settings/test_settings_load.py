"""The whole: every problem in one run, nothing secret told, nothing else raised."""

import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.errors import ConfigError, Problem
from everbearer.policy.rules import Action
from everbearer.settings.document import Document
from everbearer.settings.load import build, load
from everbearer.settings.model import Address, Listener, ProxySettings
from everbearer.settings.secrets import Surroundings
from settings.config_folder import CANARY, DEV, FakeKeyring

TEN_MISTAKES = """
default_profile = "prodd"

[profiles.dev]
provider = "bux"
grant = "refresh_token"
client_id = "id"
client_secret = { env = "NO_SUCH_VARIABLE" }
refresh_tokn = "canary-7f3a-refresh"

[profiles.prod]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = { env = "SECRET" }
subject = { type = "enterprize", id = "1" }

[[rules]]
hosts = ["https://api.box.com/"]
profiles = ["dev"]

[[rules]]
hosts = ["api.box.com"]
methods = ["get"]
profiles = ["prod"]

[[listeners]]
address = "0.0.0.0:8080"

[proxy]
redact = "yes"

[network]
upstream_proxy = "https://proxy"
"""


def test_ten_mistakes_are_ten_problems(folder):
    """Ten mistakes of all kinds come out in one run, each with place and cure."""
    problems = folder.problems(TEN_MISTAKES)
    assert [problem.path for problem in problems] == [
        "default_profile",
        "listeners[0].address",
        "network.upstream_proxy",
        "profiles.dev.client_secret.env",
        "profiles.dev.provider",
        "profiles.dev.refresh_tokn",
        "profiles.prod.subject.type",
        "proxy.redact",
        "rules[0].hosts[0]",
        "rules[1].methods[0]",
    ]
    cures = [
        'write: "prod"',
        '"127.0.0.1:8080"',
        'upstream_proxy = "http://proxy:3128"',
        "export NO_SUCH_VARIABLE=",
        'provider = "box"',
        "write: refresh_token",
        'type = "enterprise" or "user"',
        "redact = true",
        'use "api.box.com"',
        'write: "GET"',
    ]
    for problem, cure in zip(problems, cures, strict=True):
        assert cure in str(problem)


def test_the_smallest_configuration(folder):
    """One profile is enough: all else has a default."""
    settings = folder.load(DEV)
    assert list(settings.profiles) == ["dev"]
    assert settings.source == folder.path / "config.toml"
    assert settings.default_profile == ""
    assert settings.listeners == (Listener(Address("127.0.0.1", 8080)),)
    assert settings.proxy == ProxySettings()
    assert settings.network.connect_to == ()
    assert {rule.action for rule in settings.rules} == {Action.PASS, Action.INJECT}


def test_an_empty_configuration(folder):
    """Without a profile there is one problem, which shows how to make one."""
    assert "[profiles.dev]" in str(folder.problem(""))


def test_the_default_profile(folder):
    """`default_profile` is taken when it exists."""
    assert folder.load('default_profile = "dev"\n' + DEV).default_profile == "dev"


def test_what_is_watched(folder):
    """Every file whose change means another configuration is named."""
    folder.write("rt.txt", "token\n")
    folder.write("cs.txt", "secret\n")
    settings = folder.load(
        """
        [profiles.a]
        provider = "box"
        grant = "refresh_token"
        client_id = "id"
        client_secret = { file = "cs.txt" }
        refresh_token = { file = "rt.txt" }
        """
    )
    assert settings.watched == {
        folder.path / name for name in ("config.toml", "rt.txt", "cs.txt")
    }


def test_a_secret_in_clear_is_warned_about(folder):
    """A string as secret is a warning that names its place and not its value."""
    (warning,) = folder.load(DEV).warnings
    assert warning.startswith("profiles.dev.refresh_token: ")
    assert "others can read" not in warning
    assert CANARY not in warning


def test_a_secret_in_clear_that_others_can_read(folder):
    """The warning says when the file's mode makes it worse."""
    path = folder.write("open.toml", DEV, mode=0o644)
    (warning,) = load(path, folder.environ).warnings
    assert "others can read" in warning


def test_nothing_shows_a_secret(folder):
    """Settings, problems and tracebacks hold only masks."""
    assert CANARY not in repr(folder.load(DEV))
    broken = DEV.replace('provider = "box"', "provider = 3") + "unknown = 1\n"
    with pytest.raises(ConfigError) as caught:
        folder.load(broken)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert CANARY not in shown


# Command lines are left out: what hypothesis thinks of must not be run.
KEYS = sorted(
    {key for table in (Document,) for key in table.model_fields}
    | {"provider", "grant", "client_id", "client_secret", "refresh_token", "jwt"}
    | {"access_token", "subject", "type", "id", "as_user", "token_url", "file", "env"}
    | {"keyring", "hosts", "paths", "methods", "action", "existing_authorization"}
    | {"address", "reverse", "profile", "connect_to", "ca_file", "upstream_proxy"}
    | {"audit", "max_size", "keep", "enabled", "listen"}
    | {"browser_origins", "spool_limit", "url", "key", "private_key", "passphrase"}
)
WORDS = [
    "box",
    "refresh_token",
    "jwt_bearer",
    "client_credentials",
    "api.box.com",
    "*.box.com",
    "https://api.box.com",
    "https://[",
    "127.0.0.1:8080",
    "[::1]:1",
    "api.box.com:443",
    "/2.0/*",
    "GET",
    "dev",
    "~nobody-at-all/x",
    "~\0",
    "sqlite:x",
    "memory:",
    "12MiB",
    "a/b",
]
TEXTS = st.sampled_from(WORDS) | st.text(max_size=8)
SCALARS = (
    TEXTS
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.times()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=6)
    ),
    max_leaves=20,
)
PROFILES = st.dictionaries(
    TEXTS, st.dictionaries(st.sampled_from(KEYS), VALUES), max_size=2
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(KEYS) | TEXTS, VALUES
) | st.fixed_dictionaries(
    {"profiles": PROFILES},
    optional={
        "rules": st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES), max_size=2),
        "listeners": st.lists(
            st.dictionaries(st.sampled_from(["address", "reverse", "profile"]), VALUES),
            max_size=2,
        ),
        "network": st.dictionaries(st.sampled_from(KEYS), VALUES),
        "store": st.dictionaries(st.sampled_from(["url", "key"]), VALUES),
        "proxy": st.dictionaries(st.sampled_from(KEYS), VALUES),
    },
)


@given(toml=DOCUMENTS)
def test_nothing_but_a_config_error_is_raised(toml):
    """Whatever a document holds, it is settings or a list of problems."""
    around = Surroundings(
        folder=Path("/nonexistent/folder"),
        exposed=False,
        environ={},
        uid=0,
        keyring=FakeKeyring,
        command_timeout=0.0,
    )
    problems = (Problem("-", "none"),)
    try:
        nowhere = Path("/nonexistent")
        build(
            toml, nowhere / "config.toml", around, nowhere / "data", nowhere / "state"
        )
    except ConfigError as error:
        problems = error.problems
    assert all(problem.path and problem.message for problem in problems)
