"""The filters that the README tells find what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mitmproxy import flowfilter
from mitmproxy.http import HTTPFlow

from everbearer.proxy.shown.telling import QUESTION, REFUSAL, REPLAY, tell
from proxy.flows import asked

README = (Path(__file__).parents[2] / "README.md").read_text()
[TABLE] = re.findall(
    r"\| filter \| finds \|\n\|---\|---\|\n(.*?)\n\n", README, re.DOTALL
)
FILTERS = [
    text.replace("\\|", "|")
    for row in TABLE.splitlines()
    for text in re.findall(r"`(~.*?)`", row)
]


def flow(comment: str, marker: str = "", method: str = "GET", **metadata: str):
    """Return a flow that tells this."""
    made = asked(method)
    tell(made, comment, marker)
    made.metadata.update(metadata)
    return made


FLOWS: dict[str, HTTPFlow] = {
    "injected": flow("dev · injected · fresh, 9 min left"),
    "replayed": flow("dev · 401 → renewed → replayed · injected", REPLAY, "POST"),
    "refused": flow("refused: no such profile (profile_unknown)", REFUSAL),
    "renewal": flow(
        "dev · renewal · cause timer", QUESTION, **{"everbearer.question": "renewal"}
    ),
    "other": flow("prod · renewal · cause first", QUESTION),
    "user's": flow("look at this", ":grapes:"),
}
FOUND = {
    "~comment injected": {"injected", "replayed"},
    '~comment "cause (stale|timer)"': {"renewal"},
    '~comment "^dev "': {"injected", "replayed", "renewal"},
    "~marker repeat": {"replayed"},
    "~marker no_entry": {"refused"},
    "~marker key": {"renewal", "other"},
    "~meta everbearer.question": {"renewal"},
    "~marked & !~marker key": {"replayed", "refused", "user's"},
    "~m POST & ~marker repeat": {"replayed"},
}


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_finds_what_it_should(text: str):
    """Each of the table is tried on flows of every kind."""
    matches = flowfilter.parse(text)

    assert {name for name, made in FLOWS.items() if matches(made)} == FOUND[text]


def test_every_filter_is_tried():
    """The table has those, and no other."""
    assert set(FILTERS) == set(FOUND)
