"""The README's transcript and table are what really happens."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import tomli

from clinic import Clinic
from config_file import unnamed
from everbearer import errors
from everbearer.cli.main import everbearer
from everbearer.clients.recipes import RECIPES
from everbearer.doctor.tools import TOOLS
from harness import Place, Process, Sandbox
from needs import need
from person import Person
from ports import unused_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
TRANSCRIPTS = [block for block in CONSOLE if "everbearer sandbox" in block]
HOME = "/home/me"
ELSEWHERE = [
    "…",
    "warn  clock: 95 s behind api.box.com",
    "      run: sudo timedatectl set-ntp true",
    "ok    port 127.0.0.1:8080: an everbearer serves there already",
    "ok    CA for curl: trusted",
    "warn  CA for node: not trusted: unable to verify the first certificate",
    "      run it by: everbearer exec -- node …",
]
"""How those of the doctor's lines begin that other tests bring about."""


def steps_of(block: str) -> list[tuple[str, list[str]]]:
    """Return a console block as commands with the lines they print."""
    steps: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def expectation(lines: list[str]) -> re.Pattern[str]:
    """Return a pattern: `…` stands for anything, alone on a line for any lines."""
    parts = [
        r"(?:.*\n)*?" if line == "…" else _line(line) + r"[ \t]*(?:\n|\Z)"
        for line in lines
    ]
    return re.compile("".join(parts))


def _line(line: str) -> str:
    words = (r"\s+".join(map(re.escape, part.split())) for part in line.split("…"))
    return r"\s*.*?\s*".join(words)


@pytest.fixture
def shell(place: Place, free_port: int) -> Callable[[str], str]:
    """Give a function that puts this test's ports into a text."""
    another = unused_port()

    def translate(text: str) -> str:
        text = text.replace(
            "everbearer sandbox", f"everbearer sandbox --port {another}"
        )
        text = text.replace(
            "everbearer serve", f"everbearer serve --listen 127.0.0.1:{free_port}"
        )
        return text.replace(":8080", f":{free_port}").replace(":9443", f":{another}")

    return translate


@pytest.mark.parametrize("block", TRANSCRIPTS, ids=["serve", "exec"])
def test_the_transcript_is_what_happens(
    place: Place, shell: Callable[[str], str], block: str
):
    """Each command of the README's transcripts prints what stands below it."""
    for program in ("curl", "wget"):
        need(program)
    environment = place.env | {
        "PATH": f"{Path(sys.executable).parent}:{place.env['PATH']}"
    }
    (place.root / "home").mkdir()
    aliases = ""
    for command, expected in steps_of(block):
        wanted = shell("\n".join(expected)).splitlines()
        if command.startswith("alias "):
            aliases += shell(command) + "\n"
        elif command.endswith(" &"):
            process = Process(
                ["bash", "-c", f"exec {shell(command.removesuffix(' &'))}"],
                environment,
                place.root,
            )
            place.processes.append(process)
            process.wait_for(expectation(wanted).pattern)
            process.wait_for("try: ")
        else:
            done = subprocess.run(
                ["bash", "-c", f"shopt -s expand_aliases\n{aliases}{shell(command)}"],
                env=environment,
                cwd=place.root,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, (command, done.stderr)
            assert expectation(wanted).match(done.stdout), (
                command,
                done.stdout,
                expectation(wanted).pattern,
            )


def test_what_comes_first_tells_where_to_install():
    """A reader who types the first command has been led to the installation."""
    before = README.split("$ everbearer ")[0]
    assert "(#install)" in before


def test_the_login_is_what_happens(place: Place, sandbox: Sandbox):
    """`everbearer login` says what the README shows, but for the port."""
    (block,) = (each for each in CONSOLE if "everbearer login" in each)
    ((_, shown),) = steps_of(block)
    person = Person(place, sandbox)
    login = person.types()
    person.returns(person.decides(person.opened(login)))
    assert login.child.wait(40) == 0
    person.web.close()
    said = [
        re.sub(r"localhost:\d+|127\.0\.0\.1:\d+", "127.0.0.1:39241", line).strip()
        for line in login.output.splitlines()
        if "NOT THE REAL BOX" not in line and not line.startswith("BROWSER")
    ]
    assert said == shown


def test_the_doctor_says_what_is_shown_of_it(place: Place, sandbox: Sandbox):
    """Every line shown that needs no other clock, proxy or trust really comes."""
    (block,) = re.findall(r"```text\n\$ everbearer doctor\n(.*?)```", README, re.DOTALL)
    port = unused_port()
    listener = f'[[listeners]]\naddress = "127.0.0.1:{port}"\n'
    config = sandbox.config("mine", listener, "refresh_token")
    clinic = Clinic(place, sandbox, port, config)
    clinic.make_ca()
    store = Path(
        tomli.loads(clinic.config.read_text())["store"]["url"].partition(":")[2]
    )
    store.chmod(0o644)
    done = place.everbearer(
        *("doctor", "-c", str(clinic.config), "--offline"),
        PATH=str(place.root / "empty"),
        HTTPS_PROXY="http://proxy:3128",
    )
    store.chmod(0o600)
    assert done.returncode == 3
    said = unnamed(done.stdout).replace(
        str(store), HOME + "/.local/share/everbearer/tokens.db"
    )
    said = re.sub(
        r"(ok +configuration: )\S+", rf"\1{HOME}/.config/everbearer/config.toml,", said
    )
    left = [line for line in block.splitlines() if line not in said.splitlines()]
    assert len(left) == len(ELSEWHERE), said
    assert all(map(str.startswith, left, ELSEWHERE)), left
    (node,) = (tool for tool in TOOLS if tool.name == "node")
    assert left[-1].strip() == node.fix


def test_commands_that_are_shown_can_be_typed():
    """In an `sh` block everbearer's options are known ones, and scripts exist."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.partition(" >>")[0] for line in "".join(blocks).splitlines()]
    shown = [words for line in lines if (words := shlex.split(line, comments=True))]
    ours = [words[1:] for words in shown if words[0] == "everbearer"]
    scripts = [words[0] for words in shown if words[0].startswith("scripts/")]

    assert len(ours) > 4
    for name, *rest in ours:
        if name != "--version":
            command = everbearer.get_command(click.Context(everbearer), name)
            assert command is not None, name
            command.make_context(name, rest)
    assert scripts
    assert all((ROOT / script).exists() for script in scripts)


def test_every_error_is_in_the_table():
    """A code that a client can meet from our errors is explained in the README."""
    codes = {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and issubclass(kind, errors.EverbearerError)
        and kind not in {errors.ConfigError, errors.GrantError, errors.StoreConflict}
    }

    missing = {code for code in codes if f"`{code}`" not in README}

    assert not missing


def test_every_command_is_in_the_table():
    """Each command that exists is in the README, and none that does not."""
    text = subprocess.run(
        [sys.executable, "-m", "everbearer", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    exist = set(
        re.findall(r"^  (\w+) {2,}\S", text.split("Commands:")[1], re.MULTILINE)
    )

    table = README.split("## Commands")[1].split("## Errors")[0]
    told = set(re.findall(r"^\| `everbearer (\w+)", table, re.MULTILINE))

    assert told == exist


def test_every_tool_is_in_the_table():
    """The table of tools is the recipes, line by line and in their order."""
    section = README.split("## Any tool")[1].split("## Configure")[0]
    told = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert told == [
        f"| {recipe.title} | {'yes' if recipe.exec else 'no'} | {recipe.briefly}"
        f" | `{name}` |"
        for name, recipe in RECIPES.items()
    ]
