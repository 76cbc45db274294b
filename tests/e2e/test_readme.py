"""The README's transcript and table are what really happens."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from everbearer import errors
from harness import Place, Process
from ports import unused_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def transcript() -> list[tuple[str, list[str]]]:
    """Return the first console block as commands with the lines they print."""
    block = re.search(r"```console\n(.*?)```", README, re.DOTALL)[1]
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


def test_the_transcript_is_what_happens(place: Place, shell: Callable[[str], str]):
    """Each command of the README's first transcript prints what stands below it."""
    environment = place.env | {
        "PATH": f"{Path(sys.executable).parent}:{place.env['PATH']}"
    }
    (place.root / "home").mkdir()
    aliases = ""
    for command, expected in transcript():
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
