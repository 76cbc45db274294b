"""API answers that are no success, against box-facts section 3."""

import json

import pytest


async def test_dead_token_gets_an_empty_chunked_401(bench):
    """Section 3, 401 shape 1: no Content-Type, no body, `invalid_token`."""
    response = await bench.api("GET", "/users/me", "dead")
    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["www-authenticate"] == (
        'Bearer realm="Service", error="invalid_token", '
        'error_description="The access token provided is invalid."'
    )
    assert response.headers["transfer-encoding"] == "chunked"
    assert "content-type" not in response.headers
    assert response.headers["box-request-id"]


async def test_missing_token_gets_a_401(bench):
    """Section 3: missing Authorization also gives 401; RFC 6750 §3.1: no code."""
    response = await bench.api("GET", "/users/me")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="Service"'


async def test_two_authorization_fields_are_a_bad_request(bench):
    """RFC 9110 §11.6.2 knows one; a proxy that sends two is found out."""
    bearer = ("Authorization", f"Bearer {bench.developer_token}")
    bench.client.headers = [bearer, bearer]
    assert (await bench.api("GET", "/users/me")).status_code == 400
    listed = await bench.control("GET", "requests")
    assert listed["requests"][0]["authorization_count"] == 2


async def test_unusable_token_has_the_json_shape(bench):
    """Section 3, 401 shape 2: 201 bytes with a request id of 16 characters."""
    await bench.fault({"status": 401, "code": "unauthorized"}, times=1)
    response = await bench.api("GET", "/users/me", bench.developer_token)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="Service"'
    assert response.json()["message"] == (
        "Unauthorized - Cannot authorize with this service"
    )
    assert rb"http:\/\/developers.box.com\/docs\/#errors" in response.content
    assert response.json()["request_id"] == response.headers["box-request-id"]


async def test_rate_limit_has_boxs_shape(bench):
    """Section 3: 429, retry-after in seconds, rate_limit_exceeded."""
    await bench.fault({"status": 429, "retry_after": 3}, times=1)
    response = await bench.api("GET", "/users/me", bench.developer_token)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "3"
    assert response.json()["code"] == "rate_limit_exceeded"


async def test_what_is_missing_is_404_in_the_client_error_shape(bench):
    """Section 3: ClientError has these members."""
    response = await bench.api("GET", "/files/999", bench.developer_token)
    assert response.status_code == 404
    assert set(response.json()) == {
        "type",
        "status",
        "code",
        "help_url",
        "message",
        "request_id",
    }


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH", "HEAD"])
async def test_what_is_no_call_is_501_and_never_200(bench, method):
    """Design section 8: anything else is 501; the token is judged first."""
    answered = await bench.api(method, "/_echo", bench.developer_token)
    assert answered.status_code == 501
    assert (await bench.api(method, "/_echo", "dead")).status_code == 401
    elsewhere = await bench.ask(method, "https://www.box.com/")
    assert elsewhere.status_code == 501


async def test_calls_belong_to_their_hosts(bench):
    """Section 3, hosts: uploads under /api/2.0, tokens not under /2.0."""
    token = bench.developer_token
    for url in (
        "https://upload.box.com/2.0/users/me",
        "https://api.box.com/api/2.0/files/content",
        "https://api.box.com/2.0/oauth2/token",
        "https://dl.boxcloud.com/2.0/users/me",
    ):
        assert (await bench.ask("POST", url, token)).status_code == 501


async def test_as_user_is_for_service_accounts(bench):
    """Section 3, other: admin or service account, and never as a service account."""
    service = await bench.service_token()

    async def acting(token, user_id):
        return await bench.api("GET", "/users/me", token, headers={"as-user": user_id})

    assert (await acting(service, "200002")).json()["id"] == "200002"
    for user_id in ("999", "300001"):
        refused = await acting(service, user_id)
        assert (refused.status_code, refused.json()["status"]) == (403, 403)
    lacking = await acting(bench.developer_token, "200002")
    assert (lacking.status_code, lacking.content) == (403, b"")
    assert lacking.headers["www-authenticate"] == (
        'Bearer realm="Service", error="insufficient_scope", '
        'error_description="The request requires higher privileges '
        'than provided by the access token."'
    )


async def test_bad_json_is_a_bad_request(bench):
    """ClientError bad_request."""
    response = await bench.api(
        "POST", "/folders", bench.developer_token, content=b"{nonsense"
    )
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


async def test_expired_token_is_a_dead_token(bench):
    """Section 3: expired and revoked look the same."""
    token = await bench.service_token()
    assert (await bench.api("GET", "/users/me", token)).status_code == 200
    bench.clock.now += 3600
    assert (await bench.api("GET", "/users/me", token)).status_code == 401


async def test_user_is_answered_whole_or_by_fields(bench):
    """GET /users/me with and without `fields`."""
    whole = (await bench.api("GET", "/users/me", bench.developer_token)).json()
    assert whole["login"] == "olivia@example.com"
    part = await bench.api("GET", "/users/me?fields=name", bench.developer_token)
    assert json.loads(part.content) == {
        "type": "user",
        "id": "200001",
        "name": "Olivia Owner",
    }
