"""Which file is the configuration."""

from pathlib import Path

import pytest

from everbearer.settings.locate import in_full, locate

USER = Path("/home/me/.config")


def test_the_option_comes_first():
    """`--config` wins over the environment."""
    environ = {"EVERBEARER_CONFIG": "/b.toml"}
    assert locate(Path("/a.toml"), environ, USER) == Path("/a.toml")


def test_the_environment_comes_second():
    """`$EVERBEARER_CONFIG` wins over the user's folder."""
    assert locate(None, {"EVERBEARER_CONFIG": "/b.toml"}, USER) == Path("/b.toml")


def test_the_users_folder_comes_last():
    """Without either, the user's own file is meant; an empty variable is none."""
    expected = USER / "everbearer" / "config.toml"
    assert locate(None, {"EVERBEARER_CONFIG": ""}, USER) == expected


def test_the_current_folder_is_never_searched(tmp_path, monkeypatch):
    """A file that merely lies in the current folder is not taken."""
    (tmp_path / "config.toml").touch()
    (tmp_path / "everbearer.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert not locate(None, {}, USER).is_relative_to(tmp_path)


def test_the_home_folder():
    """A path may begin with "~"; a home folder that is not known is no crash."""
    assert locate(Path("~/a.toml"), {}, USER) == Path.home() / "a.toml"
    assert locate(Path("~nobody-here/a"), {}, USER).name == "a"


def test_the_result_is_absolute(tmp_path, monkeypatch):
    """A relative name keeps its meaning when the current folder changes later."""
    monkeypatch.chdir(tmp_path)
    assert locate(Path("a.toml"), {}, USER) == tmp_path / "a.toml"
    assert locate(None, {"EVERBEARER_CONFIG": "b.toml"}, USER) == tmp_path / "b.toml"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("run: everbearer login dev", "run: everbearer login -c /f.toml dev"),
        (
            'run: eval "$(everbearer env)", or: everbearer exec -- curl',
            (
                'run: eval "$(everbearer env -c /f.toml)", or: everbearer exec'
                " -c /f.toml -- curl"
            ),
        ),
        ("run: everbearer store migrate", "run: everbearer store migrate -c /f.toml"),
        ("try: everbearer serve -c b.toml", "try: everbearer serve -c b.toml"),
        ("everbearer serves loopback only", "everbearer serves loopback only"),
        ("run: everbearer demo", "run: everbearer demo"),
    ],
)
def test_the_configuration_is_named_in_commands(text, told):
    """Every command that reads one, and only those, works on it where it is pasted."""
    assert in_full(text, Path("/f.toml")) == told
    assert in_full(text, None) == in_full(text, locate(None, {})) == text
