"""Assertions against box-facts section 2, and the error table of section 1."""

from secrets import token_hex

import pytest

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXPIRED = (
    "Current date/time MUST be before the expiration date/time "
    "listed in the 'exp' claim"
)
TOO_EARLY = (
    "Current date/time MUST be after or equal to the not-before date/time  "
    "listed in the 'nbf' or 'iat' claim"
)
TOO_LONG = (
    "Please check the 'exp' claim. The 'exp' value exceeds "
    "the maximum value of 60 seconds beyond the issue time."
)
BAD_SIGNATURE = "OAuth JWT signature verification failed"


async def _send(bench, assertion):
    response = await bench.token("jwt", grant_type=GRANT, assertion=assertion)
    body = response.json()
    if response.status_code == 200:
        return "accepted"
    assert (response.status_code, body["error"]) == (400, "invalid_grant")
    return body["error_description"]


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
async def test_three_algorithms_are_accepted(bench, algorithm):
    """Section 2: `alg` is RS256, RS384 or RS512."""
    assert await _send(bench, bench.assertion(algorithm)) == "accepted"


async def test_other_algorithms_are_refused(bench):
    """Section 2: nothing else, however well it is signed."""
    assert await _send(bench, bench.assertion("PS256")) == BAD_SIGNATURE


async def test_key_is_found_by_its_id(bench):
    """Section 2: a wrong `kid` fails, a missing one is accepted with one key."""
    assert await _send(bench, bench.assertion(head={"kid": "other"})) == BAD_SIGNATURE
    assert await _send(bench, bench.assertion(head={})) == "accepted"


async def test_signature_is_checked(bench):
    """Section 2: claims that were not signed buy nothing."""
    head, claims, _ = bench.assertion().split(".")
    signature = bench.assertion(sub="1").split(".")[2]
    assert await _send(bench, f"{head}.{claims}.{signature}") == BAD_SIGNATURE
    assert await _send(bench, "no.assertion.atall") == BAD_SIGNATURE


@pytest.mark.parametrize(
    ("claims", "answer"),
    [
        ({"iss": "someone"}, "Please check the 'iss' claim."),
        ({"aud": "https://127.0.0.1/oauth2/token"}, "Please check the 'aud' claim."),
        ({"sub": "999"}, "Please check the 'sub' claim."),
        ({"box_sub_type": "user"}, "Please check the 'sub' claim."),
        ({"sub": "200002", "box_sub_type": "user"}, "accepted"),
        ({"exp": None}, "Please check the 'exp' claim."),
        (
            {"exp": 1_750_000_030.5},
            "Please check the 'exp' claim. Should be an integer",
        ),
        ({"exp": 1_750_000_000}, EXPIRED),
        ({"exp": 1_750_000_001}, "accepted"),
        ({"exp": 1_750_000_060}, "accepted"),
        ({"exp": 1_750_000_061}, TOO_LONG),
        ({"iat": 1_750_000_000}, "accepted"),
        ({"iat": 1_750_000_001}, TOO_EARLY),
        ({"nbf": 1_750_000_001}, TOO_EARLY),
        ({"jti": None}, "Please check the 'jti' claim."),
        ({"jti": "x" * 15}, "Please check the 'jti' claim."),
        ({"jti": "x" * 16}, "accepted"),
        ({"jti": "x" * 128}, "accepted"),
        ({"jti": "x" * 129}, "Please check the 'jti' claim."),
    ],
)
async def test_claims_are_judged_without_leeway(bench, claims, answer):
    """Section 2, the table of claims; the server's clock stands at …000.25."""
    assert await _send(bench, bench.assertion(**claims)) == answer


async def test_jti_is_good_once(bench):
    """Section 1: a unique 'jti' value is required."""
    assertion = bench.assertion()
    assert await _send(bench, assertion) == "accepted"
    assert await _send(bench, assertion) == (
        "Please check the 'jti' claim. A unique 'jti' value is required."
    )


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_jti_is_spent_by_a_request_that_failed(bench, status):
    """Section 2: java#519, node#403: also by one answered 429 or 5xx."""
    await bench.fault({"status": status}, times=1)
    jti = token_hex(16)
    form = {"grant_type": GRANT, "assertion": bench.assertion(jti=jti)}
    assert (await bench.token("jwt", **form)).status_code == status
    assert "unique 'jti'" in await _send(bench, bench.assertion(jti=jti))


async def test_times_are_those_of_the_servers_clock(bench):
    """Section 2: `exp` counts by Box's clock, whatever the client's says."""
    await bench.control("POST", "clock", shift=3600)
    now = int(bench.clock.now)
    assert await _send(bench, bench.assertion(exp=now + 30)) == EXPIRED
    assert await _send(bench, bench.assertion(exp=now + 3630)) == "accepted"


async def test_slashes_are_escaped_as_php_does(bench):
    r"""Section 1: the wire form of the exp message has `date\/time`."""
    assertion = bench.assertion(exp=1)
    response = await bench.token("jwt", grant_type=GRANT, assertion=assertion)
    assert rb"Current date\/time MUST" in response.content
