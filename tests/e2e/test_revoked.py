"""A revoked token costs its user nothing, and the server one token request."""

from __future__ import annotations

import pytest

from harness import Place, Proxy, Sandbox
from tunnel import Tunnel, crowd

GRANTS = ["refresh_token", "jwt_bearer", "client_credentials"]
ME = "/2.0/users/me"
IN_FLIGHT = 200


@pytest.mark.parametrize("grant", GRANTS)
def test_next_request_after_a_revocation_is_answered(
    place: Place, sandbox: Sandbox, grant: str
):
    """A revoked token: 401 upstream, 200 at the client, one token request."""
    proxy = Proxy(place, sandbox.state / f"{grant}.toml")
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        sandbox.forget()
        assert sandbox.revoke() > 0

        answer = tunnel.ask("GET", ME)

        assert answer.status == 200
        assert answer.json["type"] == "user"
        refused, served = sandbox.requests(path=ME)
        assert (refused["status"], served["status"]) == (401, 200)
        assert refused["token_label"] != served["token_label"]
        assert len(sandbox.token_requests()) == 1
        assert tunnel.ask("GET", ME).status == 200
        assert sandbox.statuses(ME) == [401, 200, 200]
        assert len(sandbox.token_requests()) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/2.0/anything", 501),  # the sandbox has no such call
        ("GET", "/2.0/files/{file}/content", 302),
        ("DELETE", "/2.0/files/{file}", 204),
        ("GET", "/2.0/files/1", 404),
        ("OPTIONS", "/2.0/events", 200),
    ],
)
def test_answer_of_a_replay_arrives_as_it_was(
    place: Place, sandbox: Sandbox, method: str, path: str, status: int
):
    """Whatever the server answers to the replay is what the client gets."""
    proxy = Proxy(place, sandbox.state / "refresh_token.toml")
    files = [sandbox.call("POST", "files", {"size": 10})["id"] for _ in range(2)]
    plain, replayed = (path.format(file=file) for file in files)
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
        expected = tunnel.ask(method, plain)
        sandbox.revoke()

        answer = tunnel.ask(method, replayed)

        assert sandbox.statuses(replayed)[-2:] == [401, status]
        assert answer.status == expected.status == status
        assert answer.fields.keys() == expected.fields.keys()
        assert answer.fields.get("content-length") == expected.fields.get(
            "content-length"
        )
        assert len(answer.body) == len(expected.body)
        # The connection goes on where it was.
        assert tunnel.ask("GET", ME).status == 200


@pytest.mark.parametrize("grant", GRANTS)
def test_requests_in_flight_at_the_revocation_are_all_answered(
    place: Place, sandbox: Sandbox, grant: str
):
    """200 requests meet the revocation together: all 200, one token request."""
    proxy = Proxy(place, sandbox.state / f"{grant}.toml")
    with Tunnel(proxy) as tunnel:
        assert tunnel.ask("GET", ME).status == 200
    sandbox.forget()
    held = sandbox.hold(path=ME)
    with crowd(proxy) as many:
        answers = [many.send("GET", f"{ME}?n={n}") for n in range(IN_FLIGHT)]
        sandbox.wait(IN_FLIGHT, path=ME)
        sandbox.revoke()
        sandbox.release(held)
        statuses = {answer.result().status for answer in answers}

    assert statuses == {200}
    asked = sandbox.requests(path=ME)
    refused = [entry for entry in asked if entry["status"] == 401]
    served = [entry for entry in asked if entry["status"] == 200]
    everyone = sorted(f"n={n}" for n in range(IN_FLIGHT))
    assert sorted(entry["query"] for entry in refused) == everyone
    assert sorted(entry["query"] for entry in served) == everyone
    assert len({entry["token_label"] for entry in refused}) == 1
    assert len({entry["token_label"] for entry in served}) == 1
    assert len(sandbox.token_requests()) == 1
