"""Which configuration files are trusted, and what is said of the others."""

import os
import shutil

import pytest

from everbearer.errors import ConfigError
from everbearer.settings.load import load
from settings.config_folder import CANARY, DEV


def refusal(path, **more):
    """Return the only problem that the file has."""
    with pytest.raises(ConfigError) as caught:
        load(path, {}, **more)
    (problem,) = caught.value.problems
    return str(problem)


def test_a_missing_file(folder):
    """A missing file is named, with how to make one that works."""
    text = refusal(folder.path / "absent.toml")
    assert "absent.toml does not exist" in text
    assert "--config" in text
    assert "make one, with: everbearer init" in text


def test_a_folder(folder):
    """A folder is not a file."""
    assert f"{folder.path} is a folder" in refusal(folder.path)


def test_a_pipe(folder):
    """A named pipe is refused at once: nobody waits for its writer."""
    os.mkfifo(folder.path / "pipe")
    assert "not a regular file" in refusal(folder.path / "pipe")


def test_a_file_in_a_file(folder):
    """What the operating system says is passed on."""
    path = folder.write("config.toml", DEV)
    assert "cannot be opened (not a directory)" in refusal(path / "more")


def test_bad_utf8_names_the_line(folder):
    """The line of the first byte that is not UTF-8 is told."""
    assert "not UTF-8 text in line 3" in str(folder.problem(b"\n\nx = '\xff'\n"))


def test_bad_toml_names_line_and_column(folder):
    """The place of the mistake is told, and nothing of the document."""
    problem = folder.problem(f'secret = "{CANARY}"\nname = = 3\n')
    assert "not TOML in line 2, column 8: invalid value" in str(problem)


@pytest.mark.parametrize("toml", ["x = " + "[" * 5000, "x = " + "9" * 5000])
def test_toml_beyond_bounds(folder, toml):
    """What the parser gives up on is a problem like others."""
    assert "config.toml" in str(folder.problem(toml))


def test_a_huge_file(folder):
    """A file beyond 1 MiB is not read to its end."""
    assert "larger than 1024 KiB" in str(folder.problem("#" * (1024 * 1024 + 1)))


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write(folder, mode):
    """Who can write the file can have tokens go elsewhere: chmod is told."""
    path = folder.write("config.toml", DEV, mode=mode)
    text = refusal(path)
    assert "writable by others" in text
    assert f"chmod go-w {path}" in text


def test_a_folder_that_others_can_write(folder):
    """Who can write a folder above can replace the file."""
    path = folder.write("config.toml", DEV)
    folder.path.parent.chmod(0o770)
    assert f"chmod go-w {folder.path.parent}" in refusal(path)


def test_a_sticky_folder_is_safe(folder):
    """In a sticky folder nobody can replace what is another's."""
    folder.path.parent.chmod(0o1777)
    assert folder.load(DEV).profiles


def test_the_folders_behind_a_link(folder):
    """The folder in which a linked file really lies is judged as well."""
    path = folder.write("config.toml", DEV)
    folder.path.chmod(0o777)
    link = folder.path.parent / "link.toml"
    link.symlink_to(path)
    assert f"chmod go-w {folder.path}" in refusal(link)


def test_the_folders_before_a_link(folder):
    """So is the folder that holds the link: it can be pointed elsewhere."""
    path = folder.write("config.toml", DEV)
    open_folder = folder.path.parent / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    link = open_folder / "link.toml"
    link.symlink_to(path)
    assert f"chmod go-w {open_folder}" in refusal(link)


def test_a_file_of_another_user(folder):
    """A file that belongs to neither the user nor root is refused."""
    path = folder.write("config.toml", DEV)
    if os.geteuid() == 0:
        os.chown(path, 4321, -1)
        assert "belongs to another user (id 4321)" in refusal(path)
    else:
        stranger = os.geteuid() + 1
        assert "belongs to another user" in refusal(path, uid=stranger)


def test_a_name_with_a_space_is_quoted_for_the_shell(folder):
    """A command in a message can be pasted."""
    spaced = folder.path / "a b"
    spaced.mkdir(mode=0o700)
    path = shutil.copy(folder.write("config.toml", DEV), spaced / "config.toml")
    path.chmod(0o666)
    assert f"chmod go-w '{path}'" in refusal(path)
