"""The command line as a whole: help, mistakes, how it ends."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from everbearer.cli.main import COMMANDS, everbearer, run
from everbearer.errors import (
    ConfigError,
    ReauthorizationRequired,
    StoreError,
    TokenEndpointUnavailable,
)
from everbearer.settings.locate import in_full

HEAVY = {"mitmproxy", "httpx", "pydantic", "cryptography", "tornado", "rich", "asyncio"}
EXAMPLE = re.compile(r"\n  Example:\n    (everbearer .+|eval .+)\n\Z")


def example_of(help_text: str) -> str:
    """Return the example that a help text ends in."""
    match = EXAMPLE.search(help_text)
    assert match, help_text
    return match[1]


@pytest.mark.real
def test_help_imports_nothing_heavy():
    """`--help`, `--version` and the completion of commands answer at once."""
    program = (
        "import sys; from everbearer.cli.main import run;"
        "run(['--help'], 'linux'); run(['--version'], 'linux');"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_help_ends_in_an_example(name, type_in):
    """The last thing a help text shows is a command line that its command takes."""
    typed = type_in(f"{name} --help")
    assert typed.code == 0
    example = example_of(typed.out)
    assert f"everbearer {name or 'demo'}" in example
    if example.startswith("everbearer"):
        words = shlex.split(example)[1:]
        context = everbearer.make_context("everbearer", words)
        command = everbearer.get_command(context, words[0])
        command.make_context(words[0], words[1:])  # raises for what it does not take


def commands_of(group: click.Group, words: str = "everbearer") -> dict[str, bool]:
    """Return every command line, and whether it takes a configuration."""
    found = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        line = f"{words} {name}"
        found[line] = any("-c" in each.opts for each in command.params)
        if isinstance(command, click.Group):
            found |= commands_of(command, line)
    return found


def test_a_told_command_names_the_configuration_if_it_takes_one():
    """Whatever command a hint has, it can be pasted: with -c FILE, or without."""
    told = {line: in_full(line, Path("/f.toml")) for line in commands_of(everbearer)}
    for line, takes in commands_of(everbearer).items():
        assert told[line] == (f"{line} -c /f.toml" if takes else line)


def test_every_command_is_in_the_help(type_in):
    """The list of commands is that of the table, with its summaries."""
    listed = type_in("--help").out
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", listed, re.MULTILINE)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("frob", "no such command 'frob'"),
        ("sarve", "no such command 'sarve', did you mean serve?"),
        ("serve --frob", "no such option"),
        ("serve --set x=y", "it follows --: everbearer serve -- --set"),
        ("serve --listn :1", "--listen"),
        ("serve --listen 8080", "127.0.0.1:8080"),
        ("explain GET", "missing argument 'URL'"),
        ("explain -H nothing GET https://api.box.com/", "'Name: value'"),
        ("sandbox --port 70000", "--port"),
        ("completion tcsh", "'bash', 'zsh', 'fish'"),
        ("completion", "error: missing argument SHELL, one of: bash, zsh, fish\n"),
        ("exec", "error: missing argument 'COMMAND'\n"),
    ],
)
def test_a_wrong_command_line_exits_2_in_our_manners(line, words, typed):
    """Usage errors have the prefix, no capital, a hint, and nothing on stdout."""
    told = typed(line)
    assert (told.code, told.out) == (2, "")
    assert words in told.err
    assert "hint: run: everbearer" in told.err
    for text in told.err.splitlines():
        assert re.match(r"everbearer: (error|hint|warning): [^A-Z]", text)
        assert not text.endswith(".")


def test_without_a_command_the_help_is_shown(type_in):
    """A bare `everbearer` is a usage error that shows how to use it."""
    typed = type_in("")
    assert typed.code == 2
    assert "Commands:" in typed.err


def test_windows_is_refused_in_one_sentence(capsys):
    """On Windows nothing runs, and one sentence says why."""
    assert run(["check"], "win32") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Windows is not supported" in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError(), 2),
        (StoreError("x"), 3),
        (ReauthorizationRequired("x"), 4),
        (TokenEndpointUnavailable("x"), 5),
    ],
)
def test_the_help_lists_the_exit_codes_of_the_errors(error, code, type_in):
    """The codes in `--help` are those of the errors' classes."""
    assert error.exit_code == code
    assert re.search(rf"^    {code}  ", type_in("--help").out, re.MULTILINE)


@pytest.mark.real
def test_ctrl_c_ends_quietly_with_130(tmp_path):
    """Interrupted while it waits, a command says nothing and exits as shells expect."""
    waiting = tmp_path / "waiting"
    os.mkfifo(waiting)
    config = tmp_path / "config.toml"
    config.touch(mode=0o600)
    command = ["sh", "-c", f"echo > {waiting}; exec sleep 60"]
    words = ", ".join(f'"{word}"' for word in command)
    config.write_text(
        '[profiles.dev]\nprovider = "box"\n'
        f"access_token = {{ command = [{words}] }}\n"
        '[store]\nurl = "memory:"\n'
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "everbearer", "check", "-c", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs this in the background may have had it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    )
    waiting.read_text()  # returns once the command runs
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err.strip()) == (130, "", "")


def test_a_closed_pipe_is_no_error(box):
    """`everbearer completion bash | head -1` ends without a complaint."""
    done = subprocess.run(
        ["sh", "-c", '"$0" -m everbearer completion bash | true', sys.executable],
        capture_output=True,
        text=True,
        check=True,
        env=box.stage.env,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.real
def test_completion_prints_a_script(shell, type_in):
    """Each shell's script asks everbearer itself for words."""
    typed = type_in(f"completion {shell}")
    assert typed.code == 0
    assert f"_EVERBEARER_COMPLETE={shell}_complete" in typed.out


@pytest.mark.real
def test_completion_knows_the_commands_without_importing_them():
    """The Tab key offers commands, with what they do, at once."""
    program = (
        "import sys; from everbearer.cli.main import run\n"
        "try: run([], 'linux')\n"
        f"finally: print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ
        | {
            "_EVERBEARER_COMPLETE": "zsh_complete",
            "COMP_WORDS": "everbearer re",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["plain", "renew", COMMANDS["renew"], "[]"]
