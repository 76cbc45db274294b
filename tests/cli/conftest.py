"""What the tests of the command line share: a sandbox, and a way to type commands."""

from __future__ import annotations

import json
import shlex
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from everbearer.cli.main import run
from everbearer.cli.stage import Child, Stage


@dataclass
class Typed:
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, parsed."""
        return json.loads(self.out)


@dataclass
class Box:
    """A sandbox on a stage, with its control API; paths start in `folder`."""

    stage: Stage
    sandbox: Child
    control: str

    @property
    def folder(self) -> Path:
        """Where the sandbox's own folder `box` is."""
        return self.stage.folder

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the control API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.control}/_sandbox/{path}", data, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def secrets(self) -> list[str]:
        """Return everything that must be found nowhere."""
        told = self.call("GET", "secrets")
        found = [*told["tokens"], *told["client_secrets"], *told["assertions"]]
        return [each for each in [*found, told["passphrase"]] if each]


@pytest.fixture(scope="session")
def box(real: None) -> Iterator[Box]:
    """Run a sandbox for all tests of a worker; tests leave its tokens alive."""
    with Stage() as stage:
        sandbox = stage.everbearer("sandbox", "--port", "0", "--state", "box")
        control = sandbox.wait_for(r"control API is (\S+)")[1]
        sandbox.wait_for("try: curl")
        yield Box(stage, sandbox, control)


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path | None], Path]:
    """Make a folder the current one, and a home of its own."""

    def here(folder: Path | None = None) -> Path:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "EVERBEARER_CONFIG"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.chdir(folder or tmp_path)
        return folder or tmp_path

    return here


@pytest.fixture
def type_in(
    here: Callable[[Path | None], Path], capsys: pytest.CaptureFixture[str]
) -> Callable[..., Typed]:
    """Run a command line as if it were typed in a folder."""

    def type_in(line: str, folder: Path | None = None) -> Typed:
        here(folder)
        capsys.readouterr()
        code = run(shlex.split(line), "linux")
        captured = capsys.readouterr()
        return Typed(code, captured.out, captured.err)

    return type_in


@pytest.fixture
def typed(type_in: Callable[..., Typed], box: Box) -> Callable[[str], Typed]:
    """Run a command line in the sandbox's folder."""
    return lambda line: type_in(line, box.folder)
