"""The example alerts ask for figures that there are, and fire when they should."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from everbearer.metrics.counts import Counts
from everbearer.metrics.exposition import Exposition
from everbearer.renewal.status import ProfileStatus
from metrics.figures import read
from needs import need

ALERTS = Path(__file__).parents[2] / "config" / "alerts.yml"
FIRING = Path(__file__).with_name("alerts_firing.yml")


def rules() -> list[dict[str, Any]]:
    """Return the rules of the file."""
    [group] = YAML(typ="safe").load(ALERTS)["groups"]
    return group["rules"]


def test_alerts_ask_for_figures_that_there_are():
    """A figure that is renamed would silence them for ever."""
    status = ProfileStatus("dev", "g", "fresh", expires_in=1.0, refresh_ends_at=1.0)
    page = Exposition(Counts(dict)).text(["dev"], [status], 0.0, in_force=True)
    families = set(re.findall(r"^# TYPE (\S+) ", page.decode(), re.MULTILINE))
    named = {
        name for rule in rules() for name in re.findall(r"everbearer_\w+", rule["expr"])
    }
    assert len(named) > 5
    assert named <= families


def test_alerts_say_what_to_do():
    """Each has a severity, a summary and a description."""
    for rule in rules():
        assert re.fullmatch(r"Everbearer\w+", rule["alert"])
        assert rule["labels"].keys() == {"severity"}
        assert rule["annotations"].keys() == {"summary", "description"}


def test_what_an_alert_waits_for_begins_at_nothing():
    """A counter that appears with its first event never increased, to Prometheus."""
    page = Exposition(Counts(dict)).text(["dev"], [], 0.0, in_force=True)
    told = read(page)
    assert told["everbearer_save_failures_total", (("profile", "dev"),)] == 0
    assert told["everbearer_audit_lines_lost_total", ()] == 0


@pytest.mark.real
def test_alerts_fire_when_they_should():
    """By Prometheus' own tool, over days that it makes up."""
    promtool = need("promtool")  # Debian has it in the package prometheus
    for arguments in (["check", "rules", ALERTS], ["test", "rules", FIRING]):
        done = subprocess.run(
            [promtool, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
