"""The token endpoint against box-facts section 1."""

import asyncio
from typing import Any

import pytest

TOKEN_URL = "https://api.box.com/oauth2/token"


def _error_of(response: Any) -> tuple[int, str, str]:
    body = response.json()
    return response.status_code, body["error"], body["error_description"]


async def _works(bench: Any, token: str) -> bool:
    return (await bench.api("GET", "/users/me", token)).status_code == 200


async def test_refresh_answer_has_the_members_that_box_sends(bench):
    """Section 1, success body: pair, integer life, token_type, no issued type."""
    response = await bench.redeem(bench.seed)
    assert set(response.json()) == {
        "access_token",
        "expires_in",
        "refresh_token",
        "restricted_to",
        "token_type",
    }
    assert response.json()["expires_in"] == 3600
    assert response.json()["token_type"] == "bearer"
    assert len(response.json()["refresh_token"]) == 64
    assert response.headers["cache-control"] == "no-store"
    cookies = response.headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == [
        "box_visitor_id",
        "bv",
        "cn",
        "site_preference",
    ]


async def test_service_answers_have_no_token_type_and_no_refresh_token(bench):
    """Section 1: DOC's JWT and CCG sample has issued_token_type instead."""
    for response in (
        await bench.token(
            "ccg",
            grant_type="client_credentials",
            box_subject_type="enterprise",
            box_subject_id="100001",
        ),
        await bench.token(
            "jwt",
            grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer",
            assertion=bench.assertion(),
        ),
    ):
        assert set(response.json()) == {
            "access_token",
            "expires_in",
            "issued_token_type",
            "restricted_to",
        }


async def test_repeated_refresh_gives_the_same_pair_until_it_is_used(bench):
    """Section 1, rotation: a lost answer can be had again with the old token."""
    seed = bench.seed
    first = (await bench.redeem(seed)).json()
    again = (await bench.redeem(seed)).json()
    assert again == first
    assert await _works(bench, first["access_token"])
    assert _error_of(await bench.redeem(seed)) == (
        400,
        "invalid_grant",
        "Invalid refresh token",
    )


async def test_first_use_of_the_new_token_kills_the_old_access_token(bench):
    """Section 1: box-node-sdk#157; until then the old one works beside it."""
    old = (await bench.redeem(bench.seed)).json()
    assert await _works(bench, old["access_token"])
    new = (await bench.redeem(old["refresh_token"])).json()
    assert await _works(bench, old["access_token"])
    assert await _works(bench, new["access_token"])
    assert not await _works(bench, old["access_token"])


async def test_strict_mode_kills_at_once_and_reuse_revokes_the_grant(start):
    """RFC 9700 §4.14.2: reuse of a spent refresh token ends the whole grant."""
    bench = await start(strict=True)
    seed = bench.seed
    pair = (await bench.redeem(seed)).json()
    assert await _works(bench, pair["access_token"])
    assert (await bench.redeem(seed)).status_code == 400
    assert not await _works(bench, pair["access_token"])
    assert (await bench.redeem(pair["refresh_token"])).status_code == 400


async def test_refresh_token_dies_after_sixty_days(bench):
    """Section 1: valid for 60 days, then the text that the CLI matches."""
    seed = bench.seed
    bench.clock.now += 60 * 24 * 3600
    assert _error_of(await bench.redeem(seed)) == (
        400,
        "invalid_grant",
        "Refresh token has expired",
    )


async def test_error_bodies_have_the_lengths_that_were_logged(bench):
    """Section 1: 69 and 86 bytes are sizes seen in users' logs."""
    assert len((await bench.redeem("nonsense")).content) == 69
    assert len((await bench.token(grant_type="refresh_token")).content) == 86


async def test_unknown_grant_type_is_refused_before_the_client(bench):
    """Section 1: the Postman collection's own call gets 400 invalid_request."""
    response = await bench.ask("POST", TOKEN_URL, data={"grant_type": "{{grant}}"})
    assert _error_of(response) == (
        400,
        "invalid_request",
        "Invalid grant_type parameter or parameter missing",
    )


async def test_wrong_client_secret_is_invalid_client(bench):
    """Section 1: OAS's text for wrong client credentials."""
    assert _error_of(await bench.redeem(bench.seed, client_secret="wrong")) == (
        400,
        "invalid_client",
        "The client credentials are not valid",
    )


async def test_client_credentials_have_one_answer_for_every_wrong_credential(bench):
    """Section 1: `Grant credentials are invalid` (DOC client-credentials)."""
    good = {
        "grant_type": "client_credentials",
        "box_subject_type": "enterprise",
        "box_subject_id": "100001",
    }
    for wrong in ({"client_secret": "x"}, {"box_subject_id": "1"}, {"client_id": "x"}):
        assert _error_of(await bench.token("ccg", **{**good, **wrong})) == (
            400,
            "invalid_grant",
            "Grant credentials are invalid",
        )
    response = await bench.token("ccg", **{**good, "box_subject_type": "group"})
    assert _error_of(response)[1] == "unauthorized_client"


async def test_app_may_use_its_own_grants_only(bench):
    """Section 1: `The grant type is unauthorized for this client_id`."""
    client_id, client_secret = bench.credentials("jwt")
    response = await bench.redeem(
        bench.seed, client_id=client_id, client_secret=client_secret
    )
    assert _error_of(response) == (
        400,
        "unauthorized_client",
        "The grant type is unauthorized for this client_id",
    )


async def test_new_service_token_leaves_earlier_ones_alone(bench):
    """Section 1: box-windows-sdk-v2#548."""
    first, second = await bench.service_token(), await bench.service_token()
    assert first != second
    assert await _works(bench, second)
    assert await _works(bench, first)


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_revoking_either_of_a_pair_ends_both(bench, which):
    """Section 1, revoke: 200 without a body; again: 400 invalid_token."""
    pair = (await bench.redeem(bench.seed)).json()
    client_id, client_secret = bench.credentials("dev")
    form = {
        "client_id": client_id,
        "client_secret": client_secret,
        "token": pair[which],
    }
    url = "https://api.box.com/oauth2/revoke"
    response = await bench.ask("POST", url, data=form)
    assert (response.status_code, response.content) == (200, b"")
    assert not await _works(bench, pair["access_token"])
    assert (await bench.redeem(pair["refresh_token"])).status_code == 400
    assert _error_of(await bench.ask("POST", url, data=form))[:2] == (
        400,
        "invalid_token",
    )


async def test_date_is_the_servers_clock(bench):
    """Section 2, clock skew: clients correct their assertions by this field."""
    before = (await bench.redeem("x")).headers["date"]
    await bench.control("POST", "clock", shift=-3600)
    assert before == "Sun, 15 Jun 2025 15:06:40 GMT"
    assert (await bench.redeem("x")).headers["date"] == "Sun, 15 Jun 2025 14:06:40 GMT"


async def test_token_conflict_and_overload_have_boxs_shapes(bench):
    """Section 1: 409 without a body; 429 temporarily_unavailable."""
    await bench.fault({"status": 409}, times=1)
    await bench.fault({"status": 429, "retry_after": 7}, times=1)
    conflict = await bench.redeem(bench.seed)
    assert (conflict.status_code, conflict.content) == (409, b"")
    overload = await bench.redeem(bench.seed)
    assert _error_of(overload)[:2] == (429, "temporarily_unavailable")
    assert overload.headers["retry-after"] == "7"


async def test_token_exchange_narrows_and_never_widens(bench):
    """Section 1, downscope: 401 for scopes that the subject token lacks."""
    exchange = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    file = (await bench.control("POST", "files", size=10))["id"]
    other = (await bench.control("POST", "files", size=10))["id"]
    response = await bench.token(
        **exchange,
        subject_token=bench.developer_token,
        scope="item_download item_preview",
        resource=f"https://api.box.com/2.0/files/{file}",
    )
    narrow = response.json()["access_token"]
    assert response.json()["restricted_to"][0] == {
        "scope": "item_download",
        "object": {"id": file, "type": "file"},
    }
    content = await bench.api("GET", f"/files/{file}/content", narrow)
    assert content.status_code == 302
    for method, path in (
        ("GET", f"/files/{other}/content"),
        ("DELETE", f"/files/{file}"),
    ):
        refused = await bench.api(method, path, narrow)
        assert (refused.status_code, refused.content) == (403, b"")
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    widened = await bench.token(**exchange, subject_token=narrow, scope="item_delete")
    assert widened.status_code == 401


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ({"subject_token_type": "other"}, (400, "invalid_request")),
        ({"scope": ""}, (400, "invalid_scope")),
        ({"scope": "everything"}, (400, "invalid_scope")),
        ({"resource": "https://api.box.com/2.0/users/1"}, (400, "invalid_request")),
        ({"subject_token": "dead"}, (400, "invalid_grant")),
    ],
)
async def test_token_exchange_refuses_what_it_does_not_know(bench, form, answer):
    """Section 1: one resource, known scopes, a good subject token."""
    good = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": bench.developer_token,
        "scope": "item_download",
    }
    response = await bench.token(**{**good, **form})
    assert _error_of(response)[:2] == answer


async def test_narrow_token_covers_what_is_inside_its_folder(bench):
    """DOC downscope: a folder's token reaches the items below it."""
    token = bench.developer_token
    body = {"name": "outer", "parent": {"id": "0"}}
    outer = (await bench.api("POST", "/folders", token, json=body)).json()["id"]
    body = {"name": "inner", "parent": {"id": outer}}
    inner = (await bench.api("POST", "/folders", token, json=body)).json()["id"]
    response = await bench.token(
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token_type="urn:ietf:params:oauth:token-type:access_token",
        subject_token=token,
        scope="base_explorer",
        resource=f"https://api.box.com/2.0/folders/{outer}",
    )
    narrow = response.json()["access_token"]
    statuses = [
        (await bench.api("GET", f"/folders/{folder}", narrow)).status_code
        for folder in (outer, inner, "0", "999")
    ]
    assert statuses == [200, 200, 403, 403]


async def test_only_one_pair_comes_of_many_redeems_at_once(bench):
    """Section 1: Box repeats the pair "to cover multi-thread races"."""
    seed = bench.seed
    answers = await asyncio.gather(*(bench.redeem(seed) for _ in range(20)))
    assert len({answer.json()["access_token"] for answer in answers}) == 1
