"""What a Prometheus server reads is what was counted."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from everbearer.broker import Broker
from everbearer.events import Exchanged, Renewed
from everbearer.metrics.page import metrics_of
from everbearer.renewal.status import ProfileStatus
from everbearer.settings.load import load
from everbearer.stores.contract import Trouble, TroubleKind
from everbearer.stores.memory import MemoryStore
from metrics.figures import read

if TYPE_CHECKING:
    from pathlib import Path

    from everbearer.metrics.page import Metrics

CONFIG = """
[profiles.dev]
provider = "box"
grant = "client_credentials"
client_id = "id"
client_secret = { env = "S" }
subject = { type = "enterprise", id = "7" }
"""
PLAIN = Exchanged(
    1.0, "GET", "api.box.com", "/2.0/x", 200, "dev", "inject", "fresh", 0.02
)


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    """Return a broker that nothing has happened to."""
    config = tmp_path / "everbearer.toml"
    config.write_text(CONFIG)
    config.chmod(0o600)
    settings = load(config, {"S": "hush"})
    return Broker(settings, lambda: settings, store=MemoryStore())


@pytest.fixture
def metrics(broker: Broker) -> Metrics:
    """Return what counts what happens to the broker."""
    made = metrics_of(broker)
    assert made is not None
    broker.subscribe(made.counts)
    return made


def test_the_page_tells_what_happened(broker: Broker, metrics: Metrics):
    """Counters with their labels, histograms with buckets that add up."""
    for duration in (0.02, 0.02, 3.0, 100.0):
        broker.publish(
            Exchanged(
                *(1.0, "GET", "h", "/", 200, "dev", "inject", "fresh", duration),
                prepared=0.0002,
            )
        )
    told = read(metrics.text())
    labels = (("profile", "dev"), ("status", "2xx"), ("verdict", "inject"))
    assert told["everbearer_requests_total", labels] == 4
    name = "everbearer_request_duration_seconds"
    assert told[f"{name}_bucket", (("le", "0.01"), ("profile", "dev"))] == 0
    assert told[f"{name}_bucket", (("le", "0.025"), ("profile", "dev"))] == 2
    assert told[f"{name}_bucket", (("le", "5.0"), ("profile", "dev"))] == 3
    assert told[f"{name}_bucket", (("le", "+Inf"), ("profile", "dev"))] == 4
    assert told[f"{name}_count", (("profile", "dev"),)] == 4
    assert told[f"{name}_sum", (("profile", "dev"),)] == pytest.approx(103.04)
    added = "everbearer_injection_duration_seconds_sum"
    assert told[added, (("profile", "dev"),)] == pytest.approx(0.0008)
    assert told["everbearer_configuration_last_reload_successful", ()] == 1


def test_what_is_left_of_a_token_is_told_at_the_time_of_asking(
    broker: Broker, metrics: Metrics
):
    """By its status, else by the last renewal that was seen; never below nothing."""
    name = "everbearer_token_expires_in_seconds", (("profile", "dev"),)
    assert name not in read(metrics.text())
    wall = broker.clock.wall()
    broker.publish(Renewed(wall, "dev", "first", "3f2a", wall + 1000.0, 0.1))
    assert 900 < read(metrics.text())[name] <= 1000
    status = ProfileStatus("dev", "client_credentials", "fresh", expires_in=50.0)
    assert read(metrics.text([status]))[name] == 50.0
    none = ProfileStatus("dev", "client_credentials", "none")
    assert name not in read(metrics.text([none]))
    broker.publish(Renewed(wall, "dev", "first", "3f2a", wall - 5.0, 0.1))
    assert read(metrics.text())[name] == 0.0


def test_the_end_of_a_grant_and_its_trouble_are_told(metrics: Metrics):
    """Each trouble has a series from the start, so that an alert finds it."""
    assert {kind.value for kind in TroubleKind} == {
        labels[1][1]
        for (name, labels) in read(metrics.text([ProfileStatus("dev", "g", "none")]))
        if name == "everbearer_profile_trouble"
    }
    trouble = Trouble(TroubleKind.REAUTHORIZE, "m", 1.0, 1, 0.0, "g")
    status = ProfileStatus("dev", "g", "dead", refresh_ends_at=5e9, trouble=trouble)
    told = read(metrics.text([status]))
    assert told["everbearer_grant_end_timestamp_seconds", (("profile", "dev"),)] == 5e9
    name = "everbearer_profile_trouble"
    assert told[name, (("profile", "dev"), ("trouble", "reauthorize"))] == 1
    assert told[name, (("profile", "dev"), ("trouble", "unavailable"))] == 0


def test_names_follow_the_conventions(broker: Broker, metrics: Metrics):
    """One prefix, base units, `_total` on counters, each with its help."""
    broker.publish(PLAIN)
    families = list(text_string_to_metric_families(metrics.text().decode()))
    assert len(families) > 15
    for family in families:
        assert family.name.startswith("everbearer_")
        assert family.documentation
        if family.type == "counter":
            assert all(each.name.endswith("_total") for each in family.samples)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_no_label_has_a_host_a_path_or_a_client(broker: Broker, metrics: Metrics):
    """They are without number, and not everybody's who may read figures."""
    broker.publish(
        Exchanged(
            *(1.0, "PURGE", "canary.box.com", "/canary", 200, "dev"),
            *("inject", "fresh", 0.1, "canary-rule"),
            token="canary",
            client="canary",
            note="canary",
            user="canary",
            id="canary",
        )
    )
    page = metrics.text()
    assert b"canary" not in page
    assert b"PURGE" not in page


def test_nothing_of_the_process_is_changed(broker: Broker):
    """The library's own registry, threads and hooks stay as they were."""
    before = {family.name for family in prometheus_client.REGISTRY.collect()}
    threads, callbacks = threading.active_count(), list(gc.callbacks)
    metrics = metrics_of(broker)
    assert metrics is not None
    assert metrics.text()
    names = {family.name for family in prometheus_client.REGISTRY.collect()}
    assert names == before
    assert gc.callbacks == callbacks
    assert threading.active_count() == threads


def test_without_the_library_there_are_no_metrics(broker: Broker):
    """And nobody is there who would count in vain."""
    assert metrics_of(broker, "a_library_that_nobody_has") is None


def test_two_brokers_are_counted_apart(tmp_path: Path, broker: Broker):
    """Each has a registry of its own."""
    other = Broker(broker.settings, lambda: broker.settings, store=MemoryStore())
    first, second = metrics_of(broker), metrics_of(other)
    assert first is not None
    assert second is not None
    first.counts(PLAIN)
    assert b"everbearer_requests_total{" in first.text()
    assert b"everbearer_requests_total{" not in second.text()
