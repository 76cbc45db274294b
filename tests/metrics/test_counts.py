"""What happened is counted, under labels of which there are only so many."""

from __future__ import annotations

import ast
import dataclasses
import timeit
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import everbearer
from everbearer.events import (
    AuditLinesLost,
    ClientRedeemed,
    ConfigurationChanged,
    Exchanged,
    RenewalFailed,
    Renewed,
    Replayed,
    SaveFailed,
    TokenRequested,
    TokensDeleted,
    UserRefused,
)
from everbearer.metrics.codes import REFUSALS
from everbearer.metrics.counts import Counts, Histogram

PLAIN = Exchanged(
    1.0, "GET", "api.box.com", "/2.0/x", 200, "dev", "inject", "fresh", 0.02
)


def counts() -> Counts:
    """Count for two profiles."""
    return Counts(lambda: {"dev", "ccg"})


def exchanged(**changes: object) -> Exchanged:
    """Return a request that has ended."""
    return dataclasses.replace(PLAIN, **changes)


def test_requests_are_counted_by_profile_verdict_and_class_of_status():
    """One that got no answer is a class of its own."""
    taken = counts()
    for status in (200, 204, 404, 0):
        taken(exchanged(status=status))
    taken(exchanged(profile="", verdict="pass"))
    assert taken.requests == {
        ("dev", "inject", "2xx"): 2,
        ("dev", "inject", "4xx"): 1,
        ("dev", "inject", "none"): 1,
        ("", "pass", "2xx"): 1,
    }


def test_lost_lines_of_the_audit_log_are_counted():
    """As many as each event tells of, from a nothing that is told as well."""
    taken = counts()
    assert taken.audit_lines_lost == {(): 0}
    taken(AuditLinesLost(1.0, 1))
    taken(AuditLinesLost(2.0, 41))
    assert taken.audit_lines_lost == {(): 42}


def test_a_question_of_our_own_is_no_request():
    """Doctor asks to be refused, which nobody should be woken for."""
    taken = counts()
    taken(exchanged(probe=True, verdict="refuse", code="invalid_host"))
    assert not taken.requests
    assert not taken.refusals
    assert not taken.durations


def test_what_is_not_configured_is_other():
    """However many names and codes there are, there is one more series."""
    taken = counts()
    for number in range(3):
        taken(exchanged(profile=f"p{number}", verdict="refuse", code=f"c{number}"))
        taken(UserRefused(1.0, "127.0.0.1", f"c{number}", "message"))
        taken(RenewalFailed(1.0, f"p{number}", "stale", f"c{number}", "m", "h"))
    assert taken.requests == {("other", "refuse", "2xx"): 3}
    assert taken.refusals == {("other", "other"): 3}
    assert taken.users_refused == {("other",): 3}
    assert taken.renewals == {("other", "failed", "stale"): 3}
    assert taken.renewal_failures == {("other", "other"): 3}
    assert set(taken.durations) == {"other"}


def test_what_was_added_is_that_of_injected_requests():
    """One that did not leave, or waited for its body, has no such time."""
    taken = counts()
    taken(exchanged(prepared=0.0003))
    taken(exchanged(prepared=0.0))
    taken(exchanged(verdict="pass", prepared=0.0003))
    assert sum(taken.added["dev"].counts) == 1
    assert taken.added["dev"].total == 0.0003
    assert sum(taken.durations["dev"].counts) == 3


def test_refusals_replays_and_spools_are_counted():
    """Each by what a person would ask for."""
    taken = counts()
    taken(exchanged(verdict="refuse", code="browser_request", status=403))
    taken(exchanged(replayed=True, spooled=7))
    taken(exchanged(spooled=5))
    taken(Replayed(1.0, "dev", "GET", "h", "/", 200, 0.1))
    taken(Replayed(1.0, "dev", "GET", "h", "/", 0, 0.1))
    taken(UserRefused(1.0, "127.0.0.1", "user_wrong", "message"))
    assert taken.refusals == {("dev", "browser_request"): 1}
    assert taken.spooled == {("dev",): 12}
    assert taken.replays == {("dev", "2xx"): 1, ("dev", "none"): 1}
    assert taken.users_refused == {("user_wrong",): 1}


def test_what_becomes_of_tokens_is_counted():
    """Renewals by outcome and cause, questions by their answers."""
    taken = counts()
    taken(Renewed(1.0, "dev", "timer", "3f2a", 100.0, 0.5))
    taken(Renewed(1.0, "dev", "stale", "3f2b", 200.0, 0.5, shared=True))
    taken(RenewalFailed(1.0, "dev", "stale", "token_endpoint_unavailable", "m", "h"))
    taken(TokenRequested(1.0, "dev", "u", (), 200, (), "", "", 0.3))
    taken(TokenRequested(1.0, "dev", "u", (), 0, (), "", "x", 30.0))
    taken(SaveFailed(1.0, "dev", "m", "h", ""))
    taken(ClientRedeemed(1.0, "ccg", "lost", "m"))
    assert taken.renewals == {
        ("dev", "renewed", "timer"): 1,
        ("dev", "shared", "stale"): 1,
        ("dev", "failed", "stale"): 1,
    }
    assert taken.renewal_failures == {("dev", "token_endpoint_unavailable"): 1}
    assert taken.token_requests == {("dev", "2xx"): 1, ("dev", "none"): 1}
    assert taken.token_request_durations["dev"].total == 30.3
    assert taken.save_failures == {("dev",): 1}
    assert taken.client_redeems == {("ccg", "lost"): 1}


def test_the_end_of_a_token_is_that_of_the_last_one():
    """A client's redeem brings one too, and a logout leaves none."""
    taken = counts()
    taken(Renewed(1.0, "dev", "timer", "3f2a", 100.0, 0.5))
    taken(ClientRedeemed(1.0, "dev", "saved", "m", token="3f2b", expires_at=200.0))
    taken(ClientRedeemed(1.0, "dev", "old", "m", expires_at=0.0))
    assert taken.expires_at == {"dev": 200.0}
    taken(TokensDeleted(1.0, "dev", revoked=True))
    assert taken.expires_at == {}


def test_other_events_are_not_counted():
    """They are told elsewhere."""
    counts()(ConfigurationChanged(1.0, "c.toml"))


BOUNDS = [(1.0,), (0.1, 2.0, 50.0)]
VALUES = st.floats(0, 100) | st.sampled_from([each for some in BOUNDS for each in some])


@given(st.lists(VALUES), st.sampled_from(BOUNDS))
def test_a_value_is_counted_where_it_is_at_most_the_bound(values, bounds):
    """As Prometheus counts: a bucket's bound is in it, and above all is one more."""
    taken = Histogram(bounds)
    for value in values:
        taken.observe(value)
    for position, bound in enumerate(bounds):
        below = sum(value <= bound for value in values)
        assert sum(taken.counts[: position + 1]) == below
    assert sum(taken.counts) == len(values)
    assert taken.total == pytest.approx(sum(values))


PACKAGE = Path(everbearer.__file__).parent
CODES_AT = {"Refuse": 1, "Refusal": 1, "_refuse": 1, "refused": 0}


def spoken() -> set[str]:
    """Return every code that stands in the source where a refusal is made."""
    found = set()
    for module in [*PACKAGE.glob("policy/*.py"), *PACKAGE.glob("proxy/*.py")]:
        for node in ast.walk(ast.parse(module.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            at = CODES_AT.get(node.func.id)
            if at is not None and len(node.args) > at:
                code = node.args[at]
                if isinstance(code, ast.Constant):
                    found.add(code.value)
    return found


def test_every_code_of_a_refusal_is_known():
    """A new one does not become "other" because nobody thought of it."""
    found = spoken()
    assert {"browser_request", "user_wrong", "replay_failed"} <= found
    assert found <= REFUSALS


@pytest.mark.parametrize("code", ["reauthorization_required", "internal_error"])
def test_codes_of_errors_are_reasons_of_refusals(code: str):
    """A request without a token is refused with the error's."""
    taken = counts()
    taken(exchanged(verdict="refuse", code=code, status=502))
    assert taken.refusals == {("dev", code): 1}


def test_counting_a_request_is_measured(
    record_property: Callable[[str, object], None],
):
    """Every request of the measurement is counted."""
    taken, event, rounds, number = counts(), exchanged(prepared=0.0003), 20, 500
    best = min(timeit.repeat(lambda: taken(event), number=number, repeat=rounds))
    assert taken.requests == {("dev", "inject", "2xx"): rounds * number}
    record_property(
        "measured", f"counting a request takes {best / number * 1e6:.1f} µs"
    )
