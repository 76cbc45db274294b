"""Each grant's token request, field by field, and what it makes of a refusal."""

from __future__ import annotations

import dataclasses

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.errors import ReauthorizationRequired
from everbearer.oauth.assertion import PrivateKey, SigningKey, load_private_key
from everbearer.oauth.grants import GRANTS
from everbearer.oauth.grants.client_credentials import ClientCredentials
from everbearer.oauth.grants.contract import (
    Form,
    Grant,
    GrantSettings,
    Moment,
    Rejection,
    Subject,
    configuration_fingerprint,
)
from everbearer.oauth.grants.jwt_bearer import JwtBearer
from everbearer.oauth.grants.refresh_token import RefreshToken
from everbearer.secret import Secret
from oauth.rsa_keys import PASSPHRASE, PKCS8, pem, rsa_key

SECRET = Secret("client-secret-of-32-characters--")
SEED = Secret("the-first-refresh-token")
ENTERPRISE = Subject("enterprise", "1234567")
MOMENT = Moment(server_time=1_800_000_000.9, nonce="0123456789abcdef0123456789abcdef")

# Word for word what Box was seen to send.
BEFORE = (
    "Current date/time MUST be before the expiration date/time listed"
    " in the 'exp' claim"
)
AFTER = (
    "Current date/time MUST be after or equal to the not-before date/time"
    "  listed in the 'nbf' or 'iat' claim"
)

REFRESH = RefreshToken("the-client", SECRET, SEED)
CREDENTIALS = ClientCredentials("the-client", SECRET, ENTERPRISE)
JWT = JwtBearer("the-client", SECRET, ENTERPRISE, "key-1", PrivateKey(rsa_key()))
ALL: tuple[Grant, ...] = (REFRESH, CREDENTIALS, JWT)


def opened(form: Form) -> dict[str, str]:
    """Reveal a form; a field that came twice fails the test."""
    fields = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in form
    }
    assert len(fields) == len(form)
    return fields


def assertion_of(grant: JwtBearer, moment: Moment = MOMENT) -> jwt.types.DecodedJWT:
    """Verify a grant's assertion as the server would, at the moment's time."""
    token = opened(grant.token_request(None, moment))["assertion"]
    return jwt.decode_complete(
        token,
        rsa_key().public_key(),
        algorithms=["RS256", "RS384", "RS512"],
        audience="https://api.box.com/oauth2/token",
        issuer="the-client",
        options={"verify_exp": False},
    )


class TestSubjects:
    """Whom a token acts as."""

    @pytest.mark.parametrize("kind", ["enterprise", "user"])
    def test_a_subject_is_normalised_and_says_what_it_is(self, kind):
        """Spaces around an id do not count."""
        assert Subject(kind, " 123 ") == Subject(kind, "123")
        assert str(Subject(kind, "123")) == f"{kind} 123"

    @pytest.mark.parametrize(
        ("kind", "number", "words"),
        [
            ("external", "1", "type"),
            ("User", "1", "type"),
            ("", "1", "type"),
            ("user", "", "id"),
            ("user", "me", "id"),
            ("user", "1 2", "id"),
            ("user", "٣", "id"),
            ("user", "²", "id"),
        ],
    )
    def test_anything_else_is_refused(self, kind, number, words):
        """A type or id that Box does not have is a ValueError."""
        with pytest.raises(ValueError, match=words):
            Subject(kind, number)


class TestRefreshToken:
    """grant_type=refresh_token."""

    def test_the_request_has_the_four_fields(self):
        """The token given is redeemed, the seed only where none is given."""
        expected = {
            "grant_type": "refresh_token",
            "client_id": "the-client",
            "client_secret": SECRET.reveal(),
            "refresh_token": "the-next",
        }
        assert opened(REFRESH.token_request(Secret("the-next"), MOMENT)) == expected
        assert opened(REFRESH.token_request(None, MOMENT)) == expected | {
            "refresh_token": SEED.reveal()
        }

    def test_without_any_refresh_token_a_person_must_act(self):
        """There is nothing to redeem without a seed and without a stored token."""
        seedless = dataclasses.replace(REFRESH, refresh_token=None)
        with pytest.raises(ReauthorizationRequired):
            seedless.token_request(None, MOMENT)
        assert (seedless.seed, seedless.identity) == (None, "")

    def test_the_seed_is_the_identity(self):
        """Another seed is another grant; the identity does not show it."""
        assert (REFRESH.seed, REFRESH.identity) == (SEED, SEED.fingerprint())


class TestClientCredentials:
    """grant_type=client_credentials."""

    @pytest.mark.parametrize("subject", [ENTERPRISE, Subject("user", "42")])
    def test_the_request_has_the_subject_beside_the_credentials(self, subject):
        """Box wants type and id of the subject; nothing of the attempt goes in."""
        grant = dataclasses.replace(CREDENTIALS, subject=subject)
        assert opened(grant.token_request(SEED, MOMENT)) == {
            "grant_type": "client_credentials",
            "client_id": "the-client",
            "client_secret": SECRET.reveal(),
            "box_subject_type": subject.type,
            "box_subject_id": subject.id,
        }

    def test_the_subject_is_the_identity(self):
        """Nothing has to be brought along, so the subject tells grants apart."""
        assert (CREDENTIALS.seed, CREDENTIALS.identity) == (None, "enterprise 1234567")


class TestJwtBearer:
    """grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer."""

    def test_the_request_has_the_four_fields(self):
        """The assertion goes beside the client's credentials, and nothing else."""
        fields = opened(JWT.token_request(SEED, MOMENT))
        assert fields.pop("assertion").count(".") == 2
        assert fields == {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "client_id": "the-client",
            "client_secret": SECRET.reveal(),
        }

    @pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
    def test_the_assertion_verifies_and_holds_what_box_wants(self, algorithm):
        """Signature, header and claims are Box's, with no iat and an integer exp."""
        grant = dataclasses.replace(JWT, algorithm=algorithm)
        decoded = assertion_of(grant)
        assert decoded["header"] == {"alg": algorithm, "kid": "key-1", "typ": "JWT"}
        assert decoded["payload"] == {
            "iss": "the-client",
            "sub": "1234567",
            "box_sub_type": "enterprise",
            "aud": "https://api.box.com/oauth2/token",
            "jti": MOMENT.nonce,
            "exp": 1_800_000_030,
        }
        assert type(decoded["payload"]["exp"]) is int

    def test_a_user_is_a_subject_too(self):
        """The subject's type and id are those of the configuration."""
        payload = assertion_of(dataclasses.replace(JWT, subject=Subject("user", "42")))
        assert payload["payload"]["sub"] == "42"
        assert payload["payload"]["box_sub_type"] == "user"

    def test_an_only_key_needs_no_id(self):
        """Without a key id there is no kid at all."""
        decoded = assertion_of(dataclasses.replace(JWT, key_id=""))
        assert "kid" not in decoded["header"]

    def test_each_attempt_is_another_assertion(self):
        """Another nonce is another jti."""
        other = Moment(MOMENT.server_time, "f" * 16)
        assert assertion_of(JWT, other)["payload"]["jti"] == "f" * 16

    def test_the_key_may_come_as_pem(self):
        """An encrypted PEM and its passphrase make the same grant."""
        key = load_private_key(Secret(pem(PKCS8, PASSPHRASE)), Secret(PASSPHRASE))
        loaded = JwtBearer.configured(
            GrantSettings(
                "the-client",
                SECRET,
                signing=SigningKey("key-1", key),
                subject=ENTERPRISE,
            )
        )
        assert loaded == JWT
        assert loaded.algorithm == "RS256"

    @pytest.mark.parametrize("algorithm", ["HS256", "none", "rs256", ""])
    def test_an_algorithm_that_box_does_not_take_is_refused(self, algorithm):
        """The ValueError lists those that it takes."""
        with pytest.raises(ValueError, match="RS256, RS384, RS512"):
            dataclasses.replace(JWT, algorithm=algorithm)

    def test_the_subject_is_the_identity(self):
        """Nothing has to be brought along, so the subject tells grants apart."""
        assert (JWT.seed, JWT.identity) == (None, "enterprise 1234567")

    @pytest.mark.parametrize(
        ("error", "description", "expected"),
        [
            (
                "invalid_grant",
                BEFORE,
                True,
            ),
            (
                "invalid_grant",
                AFTER,
                True,
            ),
            ("invalid_grant", "Please check the 'exp' claim.", True),
            (
                "invalid_grant",
                "Please check the 'jti' claim. A unique 'jti' value is required.",
                True,
            ),
            ("invalid_grant", "Refresh token has expired", False),
            ("invalid_grant", "Grant credentials are invalid", False),
            ("invalid_grant", "Please check the 'iss' claim.", False),
            ("invalid_grant", "", False),
            ("invalid_client", "Please check the 'exp' claim.", False),
        ],
    )
    def test_only_times_and_jti_can_be_corrected(self, error, description, expected):
        """What a new assertion mends is correctable; "expired" is not "exp"."""
        assert JWT.correctable(Rejection(400, error, description)) is expected


class TestEveryGrant:
    """What holds for all of them."""

    def test_the_table_has_every_grant_by_its_name(self):
        """The configuration's names lead to the classes."""
        assert {
            "refresh_token": RefreshToken,
            "jwt_bearer": JwtBearer,
            "client_credentials": ClientCredentials,
        } == GRANTS
        assert {name for name, grant in GRANTS.items() if grant.rotates} == {
            "refresh_token"
        }

    @pytest.mark.parametrize("grant", [REFRESH, CREDENTIALS])
    def test_without_an_assertion_nothing_can_be_corrected(self, grant):
        """A second attempt would be the same, so there is none."""
        exp = Rejection(400, "invalid_grant", "Please check the 'exp' claim.")
        assert grant.correctable(exp) is False

    @pytest.mark.parametrize("grant", ALL)
    def test_the_hint_ends_in_the_command_to_run(self, grant):
        """A person logs in, or mends what it says and tries it with `renew`."""
        hint = grant.reauthorize_hint("dev", "refused")
        command = "login" if grant.rotates else "renew"
        assert hint.endswith(f"run: everbearer {command} dev")
        assert SECRET.reveal() not in hint

    @pytest.mark.parametrize("grant", ALL)
    def test_nothing_secret_is_shown(self, grant):
        """Neither repr nor a request's repr holds a secret."""
        shown = repr(grant) + repr(grant.token_request(None, MOMENT))
        assert SECRET.reveal() not in shown
        assert SEED.reveal() not in shown

    @pytest.mark.parametrize(
        ("grant", "change"),
        [
            (REFRESH, {"client_id": "other"}),
            (REFRESH, {"client_secret": Secret("other")}),
            (REFRESH, {"refresh_token": Secret("other")}),
            (REFRESH, {"refresh_token": None}),
            (CREDENTIALS, {"client_id": "other"}),
            (CREDENTIALS, {"client_secret": Secret("other")}),
            (CREDENTIALS, {"subject": Subject("user", "1234567")}),
            (JWT, {"client_id": "other"}),
            (JWT, {"client_secret": Secret("other")}),
            (JWT, {"subject": Subject("enterprise", "7")}),
            (JWT, {"key_id": ""}),
            (JWT, {"private_key": PrivateKey(rsa_key(which=1))}),
            (JWT, {"algorithm": "RS512"}),
        ],
    )
    def test_any_change_of_the_configuration_is_another_fingerprint(
        self, grant, change
    ):
        """Whatever field differs, the fingerprint does; and it is stable."""
        changed = dataclasses.replace(grant, **change)
        assert changed.fingerprint != grant.fingerprint
        assert dataclasses.replace(grant).fingerprint == grant.fingerprint
        assert len(grant.fingerprint) == 16

    def test_no_field_is_left_out_of_the_table_above(self):
        """Every configured field of every grant is changed once by that test."""
        marks = TestEveryGrant
        test = marks.test_any_change_of_the_configuration_is_another_fingerprint
        cases = test.pytestmark[0].args[1]
        changed = {(type(grant), name) for grant, change in cases for name in change}
        fields = {
            (type(grant), field.name)
            for grant in ALL
            for field in dataclasses.fields(grant)
        }
        assert changed == fields


@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_the_encoding_of_a_fingerprint_is_unambiguous(one, other):
    """Two lists of values have one fingerprint only when they are the same."""
    same = configuration_fingerprint(*one) == configuration_fingerprint(*other)
    assert same == (one == other)
