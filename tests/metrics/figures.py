"""Reads a page of figures as a Prometheus server does."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

type Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(page: bytes) -> Samples:
    """Return the samples by name and labels, these in their order."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }
