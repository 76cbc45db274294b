"""Bytes that would end a line are no part of a request line, nor of a field."""

from __future__ import annotations

import pytest
from boxlike import RULES

from everbearer.policy.decide import decide
from everbearer.policy.verdict import Refuse
from everbearer.policy.view import RequestView


@pytest.mark.parametrize(
    ("flag", "code"),
    [("control_characters", "invalid_path"), ("broken_fields", "invalid_field")],
)
def test_control_characters_are_refused_for_every_host(flag: str, code: str):
    """HTTP/2 could carry them, and HTTP/1 would read the next request in them."""
    for host in ("api.box.com", "evil.test"):
        view = RequestView(
            scheme="https",
            host=host,
            port=443,
            verified_name=host,
            method="GET",
            path="/2.0/users/me",
            authorities=(host,),
            **{flag: True},
        )

        verdict = decide(view, RULES)

        assert isinstance(verdict, Refuse)
        assert verdict.code == code
