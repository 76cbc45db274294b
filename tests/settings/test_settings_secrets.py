"""Where secrets come from, and what is said when they do not."""

import os
import select
import sys

import pytest

from everbearer.secret import Secret
from settings.config_folder import CANARY, DEV

PYTHON = sys.executable


def with_secret(source):
    """Return a configuration whose client_secret has the source."""
    return DEV.replace('{ env = "SECRET" }', source)


def secret_of(folder, source):
    """Return what the source gave."""
    grant = folder.load(with_secret(source)).profiles["dev"].grant
    return grant.client_secret


def problem_of(folder, source):
    """Return what is wrong with the source."""
    return folder.problem(with_secret(source))


def command(code):
    """Return a source that runs Python code."""
    return f"{{ command = ['{PYTHON}', '-c', \"{code}\"] }}"


def test_a_string(folder):
    """The string itself is the secret."""
    assert secret_of(folder, '"plain"') == Secret("plain")


def test_an_environment_variable(folder):
    """`env` names a variable."""
    assert secret_of(folder, '{ env = "SECRET" }') == Secret(f"{CANARY}-env")


def test_a_file_beside_the_configuration(folder):
    """`file` is relative to the configuration's folder; one line break is cut."""
    folder.write("cs.txt", "from file\r\n")
    assert secret_of(folder, '{ file = "cs.txt" }') == Secret("from file")


def test_a_keyring_entry(folder):
    """`keyring` is service and account; the account may hold slashes."""
    folder.keyring.entries["everbearer", "a/b"] = "kept"
    assert secret_of(folder, '{ keyring = "everbearer/a/b" }') == Secret("kept")


@pytest.mark.real
def test_a_command(folder):
    """`command` is run in the configuration's folder, without a shell and stdin."""
    code = "import os,sys; print(os.getcwd() + '|' + sys.argv[1] + sys.stdin.read())"
    source = command(code).replace(" }", "").replace('"]', "\", '$HOME *']") + " }"
    assert secret_of(folder, source) == Secret(f"{folder.path}|$HOME *")


@pytest.mark.parametrize(
    ("source", "path", "message", "fix"),
    [
        ('{ env = "NOT_SET" }', "env", "no NOT_SET", "export NOT_SET="),
        ('{ env = "EMPTY" }', "", "is empty", ""),
        ('{ file = "absent" }', "file", "absent does not exist", "create it"),
        ('{ file = "." }', "file", "is a folder", "name the file"),
        ('{ file = "~nobody-here/x" }', "file", "home folder is not known", ""),
        ('{ keyring = "everbearer/no" }', "keyring", "no entry", "put the secret"),
        ('{ keyring = "everbearer" }', "keyring", "names no entry", "service/account"),
        ("{ command = [] }", "command", "names no program", "command = ["),
        ("{ command = ['/no/such'] }", "command", '"/no/such" cannot be started', ""),
        ('{ command = ["a\\u0000"] }', "command", "not a program name", ""),
        ("{ command = ['true'] }", "", "is empty", ""),
        ("{}", "", "no sources", '"env", "file", "keyring" or "command"'),
        ('{ env = "SECRET", file = "x" }', "", "2 sources", "write one of"),
        ("3", "", "expected a string or a table", "BOX_CLIENT_SECRET"),
        ('""', "", "is empty", ""),
        ('"a\\nb"', "", "more than one line", "alone"),
        ('"é"', "", "characters that no such secret has", "alone"),
    ],
)
@pytest.mark.real
def test_a_source_that_gives_nothing(folder, source, path, message, fix):
    """Each way to fail has its place, its reason and its cure."""
    folder.environ["EMPTY"] = ""
    problem = problem_of(folder, source)
    assert problem.path == ".".join(filter(None, ["profiles.dev.client_secret", path]))
    assert message in problem.message
    assert fix in problem.fix


def test_a_secret_where_a_name_belongs_is_not_told(folder):
    """`env` with the secret itself in it: the text is no part of the problem."""
    assert CANARY not in repr(problem_of(folder, f'{{ env = "{CANARY}" }}'))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
def test_a_file_open_to_others(folder, mode):
    """Whoever else may read or write it: the command that mends it is told."""
    path = folder.write("cs.txt", CANARY, mode=mode)
    problem = problem_of(folder, '{ file = "cs.txt" }')
    assert problem.fix == f"run: chmod 600 {path}"


def test_a_file_of_another_user(folder):
    """A secret that somebody else put there is refused."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(folder.write("cs.txt", CANARY), 4321, -1)
    problem = problem_of(folder, '{ file = "cs.txt" }')
    assert "belongs to another user (id 4321)" in problem.message


def test_a_file_that_is_a_pipe(folder):
    """A named pipe is refused at once."""
    os.mkfifo(folder.path / "cs.txt", 0o600)
    assert "not a regular" in problem_of(folder, '{ file = "cs.txt" }').message


def test_a_file_that_is_no_text(folder):
    """Bytes that are not UTF-8 are not shown."""
    folder.write("cs.txt", CANARY.encode() + b"\xff")
    assert "not UTF-8" in problem_of(folder, '{ file = "cs.txt" }').message


def test_a_huge_file(folder):
    """A file beyond 64 KiB is not a secret."""
    folder.write("cs.txt", "x" * (64 * 1024 + 1))
    assert "larger than 64 KiB" in problem_of(folder, '{ file = "cs.txt" }').message


def test_no_keyring(folder):
    """Where the system has no keyring, the store's own words say so."""
    folder.keyring = None
    problem = problem_of(folder, '{ keyring = "a/b" }')
    assert (problem.message, problem.fix) == ("there is no keyring here", "use a file")


def test_a_keyring_that_fails(folder):
    """Of a keyring's own error only the name is told."""
    folder.keyring.broken = RuntimeError(CANARY)
    problem = problem_of(folder, '{ keyring = "a/b" }')
    assert "cannot be reached (RuntimeError)" in problem.message


@pytest.mark.real
def test_a_command_that_fails(folder):
    """The status is told, and nothing of what the program wrote."""
    code = f"import sys; print('{CANARY}'); sys.exit('{CANARY}')"
    problem = problem_of(folder, command(code))
    assert "ended with status 1" in problem.message


@pytest.mark.real
def test_a_command_that_hangs(folder):
    """After the timeout the program is gone, and its children with it."""
    folder.command_timeout = 0.5
    os.mkfifo(folder.path / "alive")
    reader = os.open(folder.path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    shell = "sleep 600 > alive & sleep 600"
    problem = problem_of(folder, f'{{ command = ["sh", "-c", "{shell}"] }}')
    assert "did not end within 0.5 seconds" in problem.message
    # The pipe ends when the last process that can write to it is gone.
    ready, _, _ = select.select([reader], [], [], 20)
    assert ready
    assert os.read(reader, 1) == b""
    os.close(reader)


@pytest.mark.real
def test_a_command_line_in_one_string(folder):
    """There is no shell; a secret in such a line is not told."""
    problem = problem_of(folder, f"{{ command = ['echo {CANARY}'] }}")
    assert 'the program "echo" cannot be started' in problem.message
    assert "each argument as a string of its own" in problem.fix


@pytest.mark.real
def test_a_command_that_closes_stdout_and_hangs(folder):
    """The end of its output is not the end of the program."""
    folder.command_timeout = 0.3
    problem = problem_of(folder, '{ command = ["sh", "-c", "exec >&-; sleep 600"] }')
    assert "did not end within 0.3 seconds" in problem.message


@pytest.mark.real
def test_a_command_that_writes_without_end(folder):
    """Its output is read up to a limit."""
    assert "more than 64 KiB" in problem_of(folder, '{ command = ["yes"] }').message


@pytest.mark.real
def test_a_command_that_writes_bytes(folder):
    """Bytes that are not UTF-8 are not shown."""
    code = f"import os; os.write(1, b'{CANARY}\\\\xff')"
    assert "not UTF-8" in problem_of(folder, command(code)).message


@pytest.mark.real
def test_a_command_has_the_environment_and_nothing_else(folder):
    """It sees the environment that the configuration is read with."""
    folder.environ["MARK"] = "seen"
    code = "import os; print(os.environ['MARK'])"
    assert secret_of(folder, command(code)) == Secret("seen")
