"""A process of everbearer killed at every step of a renewal, and what comes after."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from everbearer.cli.stage import Stage
from stores.places import Place

pytestmark = pytest.mark.real

WORKER = Path(__file__).with_name("kill_worker.py")
EVERY = "EVERBEARER_EVERY_KILL"
"""The variable with which all points are tried, and not one of each step."""

TRIES = 3
"""So often a point is sought that was met in the rehearsal."""

ASKED = "in token request 1"
SERVERS = ("Box", "strict")
SCENARIOS = {
    "renew": "a renewal",
    "save fails": "the same, the store full",
    "no disk": "the same, every disk full",
    "take in": "a start that finds an emergency copy",
}


@dataclass
class Box:
    """A sandbox with one of the two rotations."""

    config: Path
    control: str

    def call(self, method: str, path: str) -> Any:
        """Call the control API."""
        request = urllib.request.Request(
            f"{self.control}/_sandbox/{path}", method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def refused(self) -> int:
        """Return how many token requests were answered with 400."""
        told = self.call("GET", "requests?path=/oauth2/token")["requests"]
        return sum(each["status"] == 400 for each in told)


@pytest.fixture(scope="module", params=SERVERS)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    """Run a sandbox of each kind."""
    options = ["--strict"] if request.param == "strict" else []
    with Stage() as stage:
        sandbox = stage.everbearer("sandbox", "--port", "0", "--state", "box", *options)
        control = sandbox.wait_for(r"control API is (\S+)")[1]
        sandbox.wait_for("try: curl")
        yield Box(stage.folder / "box" / "all.toml", control)


@dataclass
class Worker:
    """A kill_worker."""

    process: subprocess.Popen[str]

    def play(
        self, scenario: str, seed: str, end_at: list[str] | None = None
    ) -> dict[str, Any]:
        """Play a scenario in a process of its own, and return what it told."""
        command = {"scenario": scenario, "seed": seed, "end_at": end_at}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told


@pytest.fixture
def worker(
    box: Box, shared_place: Place, shared_kind: str, tmp_path: Path
) -> Iterator[Worker]:
    """Start a worker on an empty place."""
    with working(shared_kind, shared_place.folder, box, tmp_path) as worker:
        yield worker


@contextmanager
def working(kind: str, folder: Path, box: Box, home: Path) -> Iterator[Worker]:
    """Start a worker, and end it."""
    environ = {
        **os.environ,
        "PYTHONPATH": str(WORKER.parents[1]),
        "XDG_STATE_HOME": str(home / "state"),
    }
    with subprocess.Popen(
        [sys.executable, WORKER, kind, folder, box.config],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environ,
        text=True,
    ) as process:
        yield Worker(process)
        process.stdin.close()


@dataclass
class Row:
    """How many were killed within one step, and then told what to do."""

    kills: int = 0
    told: int = 0


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_every_step(
    scenario: str,
    box: Box,
    worker: Worker,
    shared_kind: str,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
):
    """The next process works; where a strict server took the token, it says so."""
    strict = request.node.callspec.params["box"] == "strict"
    points = chosen(rehearsed(scenario, box, worker), scenario)
    rows: dict[str, Row] = {}
    for point in points:
        for _ in range(TRIES):
            seed = prepared(scenario, box, worker)
            ended = worker.play(scenario, seed, point)
            if ended["exit"] != 0:
                break
        else:
            continue  # threads and retries go another way than in the rehearsal
        assert ended["exit"] == -9, (point, ended)
        told = checked(point, seed, box, worker, strict=strict)
        row = rows.setdefault(point[0], Row())
        row.kills += 1
        row.told += told

    kills = sum(row.kills for row in rows.values())
    assert kills >= 0.75 * len(points)
    in_doubt = [step for step, row in rows.items() if row.told]
    for step in in_doubt:
        # Nothing is lost before it is asked for, nor once it is on disk.
        assert step.startswith(IN_DOUBT[scenario]), step
    told = sum(row.told for row in rows.values())
    where = f" ({', '.join(in_doubt)})" if in_doubt else ""
    record_property(
        "measured",
        f"kill -9 in {SCENARIOS[scenario]}, {shared_kind},"
        f" {'strict server' if strict else 'Box'}: {kills} kills at {len(rows)} steps,"
        f" {kills - told} work again, {told} are told what to do{where}",
    )


@pytest.mark.parametrize("save", [1, 2], ids=["intent", "token"])
def test_killed_inside_a_commit(
    save: int, box: Box, tmp_path: Path, request: pytest.FixtureRequest
):
    """The database file is locked for the commit, and nothing of it is written."""
    strict = request.node.callspec.params["box"] == "strict"
    with working("sqlite", tmp_path, box, tmp_path) as worker:
        seed = prepared("renew", box, worker)
        point = [f"in save {save}", "commit"]
        assert worker.play("renew", seed, point)["exit"] == -9
        told = checked(point, seed, box, worker, strict=strict)
    assert told == (strict and save == 2)


def checked(
    point: list[str], seed: str, box: Box, worker: Worker, *, strict: bool
) -> bool:
    """
    Start another process after a kill; it works, or tells what to do (True).

    The rule: what was redeemed is lost where the server has issued more than what
    is on disk. Box gives it again as long as nobody has used it.
    """
    issued = box.call("GET", "secrets")["tokens"]
    refused = box.refused()
    after = worker.play("succeed", seed)
    assert after["exit"] == 0, (point, after)
    lost = issued.index(after.get("on disk", seed)) != len(issued) - 1
    if strict and lost:
        assert after["outcome"] == "reauthorization_required", (point, after)
        assert "the answer to an earlier redeem was lost" in after["message"]
        assert "run: everbearer login" in after["message"]
        assert box.refused() == refused + 1
        return True
    assert after["outcome"] == "works", (point, after)
    assert (after["first"], after["renewed"]) == (200, 200)
    assert box.refused() == refused
    return False


IN_DOUBT = {
    "renew": ("in token request", "after token request", "in save 2"),
    "save fails": (
        "in token request",
        "after token request",
        "in save 2",
        "after save 2",
        "in rescue",
    ),
    "no disk": (
        "in token request",
        "after token request",
        "in save 2",
        "after save 2",
        "in save 3+",
        "after save 3+",
        "in rescue",
        "after rescue",
        "with the new token in memory alone",
    ),
    "take in": (),
}


def rehearsed(scenario: str, box: Box, worker: Worker) -> list[list[str]]:
    """Return the points that are met whenever it is played, as far as that shows."""
    first, again = (
        worker.play(scenario, prepared(scenario, box, worker))["points"]
        for _ in range(2)
    )
    return [point for point in first if point in again]


def chosen(points: list[list[str]], scenario: str) -> list[list[str]]:
    """Return all points, or one of each step: its beginning, or one within it."""
    if os.environ.get(EVERY):
        return points
    steps: dict[str, list[list[str]]] = {}
    for point in points:
        steps.setdefault(point[0], []).append(point)
    if scenario in {"save fails", "no disk"}:
        # Up to there it is the renewal of the other scenario.
        names = list(steps)
        steps = {name: steps[name] for name in names[names.index(ASKED) :]}
    return [
        each[len(each) // 2 if number % 2 else 0]
        for number, each in enumerate(steps.values())
    ]


def prepared(scenario: str, box: Box, worker: Worker) -> str:
    """Return the seed of a new grant, for which all has been prepared."""
    seed: str = box.call("POST", "refresh_tokens")["refresh_token"]
    if scenario == "take in":
        assert worker.play("leave a copy", seed)["exit"] == -9
    return seed
