"""`everbearer doctor --live`, with the sandbox in the place of Box."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canary import Canaries
from harness import Place, Sandbox


def report(place: Place, sandbox: Sandbox, *arguments: str) -> dict[str, Any]:
    """Return the answers by question; nothing that is somebody's was said."""
    config = sandbox.state / "all.toml"
    done = place.everbearer("doctor", "-c", str(config), "--yes", "--live", *arguments)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert not Canaries(sandbox).in_text(said)
    for theirs in ("200001", "300001", "100001", "Olivia", "example"):
        assert theirs not in said, said
    told = json.loads(done.stdout)
    assert told["not_the_real_box"] is True
    return {each["question"]: each["found"] for each in told["answers"]}


@pytest.mark.parametrize("profile", ["dev", "jwt", "ccg", "devtoken"])
def test_the_questions_are_answered_by_shapes(
    place: Place, sandbox: Sandbox, profile: str
):
    """Every kind of profile can ask; nothing of the account is changed or told."""
    sandbox.fault({"early_401": "keep"}, path="/api/2.0/files/content")

    found = report(place, sandbox, profile)

    shapes = found["what a 401 looks like"]
    assert shapes["wrong token"]["challenges"][0]["error"] == "invalid_token"
    assert "error" not in shapes["no token"]["challenges"][0]
    assert shapes["good token"]["status"] == 200
    assert "values" not in shapes["good token"]["body"]
    hosts = found["whether upload-*.app.box.com takes the token"]
    assert hosts["host"].endswith(".app.box.com")
    assert hosts["good token"]["status"] != 401
    assert hosts["wrong token"]["status"] == 401
    assert ("whether PKCE does without a secret" in found) is (profile == "dev")
    assert "when an old refresh token is retired" not in found
    early = found["whether a 401 comes before a large body was read"]
    assert early["before the body was read"] is True
    assert early["sent before the answer"] < early["announced"]
    made = [r for r in sandbox.requests() if r["method"] in {"POST", "PUT", "DELETE"}]
    uploads = [r for r in made if r["path"] != "/oauth2/token"]
    assert {r["status"] for r in uploads} <= {401, None}


def test_a_client_without_its_secret_is_tried_by_an_invented_code(
    place: Place, sandbox: Sandbox
):
    """The endpoint's word on it is told, no secret was sent, the grant lives on."""
    sandbox.fault({"early_401": "keep"}, path="/api/2.0/files/content")
    found = report(place, sandbox, "dev")["whether PKCE does without a secret"]
    without = found["an invented code without the secret"]
    assert (without["status"], without["body"]["values"]["error"]) == (
        400,
        "invalid_client",
    )
    assert "a wrong verifier" in found["not asked"]
    config = str(sandbox.state / "all.toml")
    assert place.everbearer("renew", "-c", config, "dev").returncode == 0


def test_a_grant_without_a_refresh_token_is_told_nothing_of_one(
    place: Place, sandbox: Sandbox
):
    """Neither what would be redeemed nor its risk; --rotate is a mistake there."""
    sandbox.fault({"early_401": "keep"}, path="/api/2.0/files/content")
    asked = ("doctor", "-c", str(sandbox.state / "all.toml"), "--yes", "--live", "ccg")
    done = place.everbearer(*asked)
    assert done.returncode == 0, done.stderr
    for word in ("refresh token", "redeem", "left out"):
        assert word not in done.stderr
    done = place.everbearer(*asked, "--rotate")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--rotate redeems a refresh token, and ccg has none" in done.stderr


def test_rotation_is_only_tried_with_a_word_of_its_own(place: Place, sandbox: Sandbox):
    """Then the old refresh token is redeemed again, and the grant lives on."""
    sandbox.fault({"early_401": "keep"}, path="/api/2.0/files/content")
    found = report(place, sandbox, "dev", "--rotate")
    assert found["when an old refresh token is retired"] == {
        "redeemed_again_at_once": "the same pair again",
        "new_access_token": 200,
        "redeemed_again_after_use": "reauthorization_required",
        "new_access_token_at_the_end": 200,
    }
    config = str(sandbox.state / "all.toml")
    assert place.everbearer("renew", "-c", config, "dev").returncode == 0


def test_a_server_that_is_away_is_an_answer(place: Place, sandbox: Sandbox):
    """By the error's code, and the report is written all the same."""
    sandbox.process.stop()
    config = sandbox.state / "all.toml"
    done = place.everbearer("doctor", "-c", str(config), "--yes", "--live", "jwt")
    found = json.loads(done.stdout)["answers"]
    assert found[0]["found"] == {"failed": "token_endpoint_unavailable"}


def test_nobody_is_asked_in_silence(place: Place, sandbox: Sandbox):
    """Without a terminal and --yes nothing is sent."""
    config = str(sandbox.state / "all.toml")
    done = place.everbearer("doctor", "-c", config, "--live", "dev")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert done.stdout == ""
    assert sandbox.requests() == []


def test_a_profile_that_is_not_there(place: Place, sandbox: Sandbox):
    """Is told before anything is asked."""
    config = str(sandbox.state / "all.toml")
    done = place.everbearer("doctor", "-c", config, "--yes", "--live", "deV")
    assert done.returncode == 2
    assert "did you mean dev?" in done.stderr
    done = place.everbearer("doctor", "-c", config, "--yes")
    assert done.returncode == 2
    assert "belong to --live" in done.stderr
