"""Unknown keys and wrong types: what is said, and what is judged all the same."""

import pytest

from settings.config_folder import DEV


@pytest.mark.parametrize(
    ("typo", "path", "fix"),
    [
        ("defualt_profile = 'dev'", "defualt_profile", "write: default_profile"),
        ("[proxi]", "proxi", "write: proxy"),
        (
            "[proxy]\nreplay-body-limit = 1",
            "proxy.replay-body-limit",
            "replay_body_limit",
        ),
        ("[proxy]\nREDACT = true", "proxy.REDACT", "write: redact"),
        ("[network]\nzzz = 1", "network.zzz", "known: connect_to, ca_file"),
        ('[store]\nkey = { "file\\u001b" = "x" }', r'store.key."file\u001b"', "file"),
    ],
)
def test_an_unknown_key(folder, typo, path, fix):
    """It is told with its place and the nearest known key, else all known ones."""
    problem = folder.problem(f"{typo}\n{DEV}")
    assert problem.path == path
    assert problem.message == "unknown key"
    assert fix in problem.fix


def test_a_misspelt_key_is_read_as_the_one_that_was_meant(folder):
    """What it holds is judged too, and nothing is said to be missing."""
    problems = folder.problems(DEV.replace("client_id", "clientid") + "[store]\nurl=''")
    assert [p.path for p in problems] == ["profiles.dev.clientid", "store.url"]
    toml = DEV.replace("[profiles.dev]", "[profile.dev]").replace('"box"', '"bax"')
    problems = folder.problems(f'default_profile = "dev"\n{toml}')
    assert [p.path for p in problems] == ["profile", "profiles.dev.provider"]


def test_a_misspelt_key_beside_the_right_one(folder):
    """The right one stays; the other is told."""
    assert folder.problem(DEV + 'clientid = "x"').path == "profiles.dev.clientid"


@pytest.mark.parametrize(
    ("line", "path", "message", "fix"),
    [
        (
            "default_profile = 3",
            "default_profile",
            "a string",
            'default_profile = "dev"',
        ),
        ("proxy.redact = 1", "proxy.redact", "true or false", "redact = true"),
        ("rules = {}", "rules", "an array", "[[rules]]"),
        ("rules = [3]", "rules[0]", "a table", "[[rules]]"),
        ("proxy = 3", "proxy", "a table", "[proxy]"),
        ("store.key = 3", "store.key", "a table", 'key = { file = "store.key" }'),
        ("proxy.browser_origins = 'x'", "proxy.browser_origins", "an array", "["),
        ("network.connect_to = 3", "network.connect_to", "a table", "127.0.0.1:9443"),
        (
            "network.connect_to.'a:1' = 3",
            'network.connect_to."a:1"',
            "a string",
            "127.0.0.1:9443",
        ),
        (
            "proxy.unmatched_hosts = 'tunel'",
            "proxy.unmatched_hosts",
            "no such choice",
            '"tunnel", "refuse" or "inspect"',
        ),
        ("proxy.spool_limit = '3 MB'", "proxy.spool_limit", "a size", '"1GiB"'),
        ("proxy.spool_limit = true", "proxy.spool_limit", "a size", '"1GiB"'),
        ("proxy.spool_limit = -1", "proxy.spool_limit", "a size", '"1GiB"'),
        ("proxy.spool_limit = 1.5", "proxy.spool_limit", "a size", '"1GiB"'),
    ],
)
def test_a_wrong_type(folder, line, path, message, fix):
    """What is expected is told, with an example of this very key."""
    problem = folder.problem(f"{line}\n{DEV}")
    assert problem.path == path
    assert message in problem.message
    assert fix in problem.fix


def test_each_wrong_element_is_told(folder):
    """Two wrong elements of an array are two problems, at their positions."""
    toml = DEV + '[[rules]]\nhosts = [1, "api.box.com", 2]\nprofiles = ["dev"]'
    paths = [problem.path for problem in folder.problems(toml)]
    assert paths == ["rules[0].hosts[0]", "rules[0].hosts[2]"]


def test_a_profile_that_is_no_table(folder):
    """Its name is known all the same: nothing else follows from the mistake."""
    toml = 'default_profile = "x"\nprofiles.x = "y"'
    assert folder.problem(toml).path == "profiles.x"


def test_profiles_that_are_no_table(folder):
    """Which profiles there are is unknown then, and not held against anybody."""
    toml = 'default_profile = "x"\nprofiles = 3\n[[listeners]]\n'
    toml += 'address = "127.0.0.1:1"\nreverse = "https://api.box.com"\nprofile = "y"'
    assert folder.problem(toml).path == "profiles"


def test_positions_are_ordered_as_numbers(folder):
    """The tenth rule comes after the second."""
    toml = DEV + '[[rules]]\nhosts = ["api.box.com"]\n' * 11
    paths = [problem.path for problem in folder.problems(toml)]
    assert paths == [f"rules[{position}]" for position in range(11)]


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("0", 0),
        ("7", 7),
        ("'7'", 7),
        ("'7B'", 7),
        ("'2KiB'", 2048),
        ("'3 MiB'", 3 << 20),
        ("'1GiB'", 1 << 30),
    ],
)
def test_sizes(folder, written, size):
    """A size is bytes, or a number with a unit of powers of 1024."""
    settings = folder.load(f"proxy.spool_limit = {written}\n{DEV}")
    assert settings.proxy.spool_limit == size
