"""What of an answer may be sent to strangers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.doctor.masking import masked, told
from everbearer.renewal.wire import Heard

CANARIES = ("olivia@example.com", "200001", "aB3" * 11, "Olivia Owner", "10.1.2.3")


def test_an_answer_of_somebodys_data_is_its_names():
    """Of a success no value is told, not even how long it is."""
    body = {"id": "200001", "name": "Olivia Owner", "login": "olivia@example.com"}
    found = told(Heard(200, {"set-cookie": "x"}, json.dumps(body).encode(), 0))
    assert found == {
        "status": 200,
        "challenges": [],
        "fields": {},
        "body": {"members": ["id", "login", "name"]},
    }


def test_an_error_is_told_by_what_is_nobodys():
    """The code and the challenge, which are what is asked for."""
    value = 'Bearer realm="Service", error="invalid_token"'
    body = {
        "code": "unauthorized",
        "message": f"no {CANARIES[0]} {CANARIES[1]} {CANARIES[2]} {CANARIES[4]}",
        "request_id": "200001",
        "context_info": {"name": "Olivia Owner"},
        "olivia@example.com": 1,
    }
    fields = {
        "www-authenticate": value,
        "content-type": "application/json",
        "box-request-id": "200001",
    }
    found = told(Heard(401, fields, json.dumps(body).encode(), 0))
    assert found["challenges"] == [
        {"scheme": "bearer", "realm": "Service", "error": "invalid_token"}
    ]
    assert found["fields"] == {"content-type": "application/json"}
    assert found["body"]["values"]["code"] == "unauthorized"
    assert not [each for each in CANARIES if each in json.dumps(found)]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_its_length(body):
    """And nothing of it is told."""
    found = told(Heard(500, {}, body, 0))
    assert found["body"]["bytes"] == len(body)
    assert "members" not in found["body"]


def test_no_answer_is_told():
    """It is one of the things to find out."""
    assert told(None) == {"answer": "none"}


@given(st.text(), st.sampled_from([CANARIES[0], CANARIES[1], CANARIES[2]]), st.text())
def test_no_id_address_or_secret_stays(before, canary, after):
    """Wherever it stands in a text."""
    assert canary not in masked(f"{before}{canary}{after}")
