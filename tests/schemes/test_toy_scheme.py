"""A scheme that needs the body and a nonce fits the contract, by hand."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

import pytest

from everbearer.oauth.tokens import AccessToken
from everbearer.policy.view import RequestView
from everbearer.schemes import SCHEMES
from everbearer.schemes.contract import (
    Accept,
    Again,
    Answer,
    Changes,
    Credential,
    GiveBack,
    Need,
    Outcome,
    Scheme,
)
from everbearer.secret import Secret
from schemes.toy import Toy, sign

# One file and one entry are all that another scheme needs.
TABLE: dict[str, Scheme] = {**SCHEMES, Toy.name: Toy()}

VIEW = RequestView(
    scheme="https",
    host="api.example.com",
    port=443,
    verified_name="api.example.com",
    method="POST",
    path="/things",
    body_length=4,
)
DIGEST = hashlib.sha256(b"body").hexdigest()


def credential(key: str) -> Credential:
    """Make a credential whose token is the signing key."""
    return Credential("dev", AccessToken(Secret(key), 0.0, 3600.0))


@dataclass
class ToyServer:
    """A server that keeps the toy scheme's rules; each nonce is good once."""

    key: str
    issued: int = 0

    def answer(self, method: str, path: str, body: bytes, changes: Changes) -> Answer:
        """Check the signature; a wrong one costs the nonce and tells the next."""
        fields = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in changes.fields
        }
        nonce = f"nonce-{self.issued}"
        digest = hashlib.sha256(body).hexdigest()
        expected = sign(self.key, method, path, digest, nonce)
        if hmac.compare_digest(expected, fields.get("toy-signature", "")):
            return Answer(200, {})
        self.issued += 1
        challenge = f'Basic realm="x", Toy nonce="nonce-{self.issued}"'
        return Answer(401, {"www-authenticate": (challenge,)})


def drive(server: ToyServer, key: str, body: bytes = b"body") -> list[Outcome]:
    """Do what a shell does: at most one more try, with what the server told."""
    scheme = TABLE["toy"]
    outcomes: list[Outcome] = []
    learned: str | None = None
    for _ in range(2):
        changes = scheme.prepare(VIEW, credential(key), DIGEST, learned, 0.0, "ours")
        answer = server.answer(VIEW.method, VIEW.path, body, changes)
        outcomes.append(scheme.answered(VIEW, answer, changes))
        if not isinstance(outcomes[-1], Again):
            break
        learned = outcomes[-1].learned
    return outcomes


def test_the_scheme_says_what_it_must_know():
    """A shell learns from the table that this scheme wants the body's digest."""
    assert TABLE["toy"].needs == Need.HEAD | Need.BODY_DIGEST


def test_a_nonce_is_learned_and_the_second_try_accepted():
    """First try, 401 with a nonce, Again, signed with it, accepted."""
    assert drive(ToyServer("key"), "key") == [Again("nonce-1"), Accept()]


def test_a_wrong_key_is_given_back():
    """A signature that the server refuses with its own nonce is not tried again."""
    assert drive(ToyServer("key"), "other") == [
        Again("nonce-1"),
        GiveBack("the signature was refused"),
    ]


def test_another_body_than_the_signed_one_is_given_back():
    """The signature covers the body: a changed one is refused."""
    assert isinstance(drive(ToyServer("key"), "key", b"other")[-1], GiveBack)


@pytest.mark.parametrize(
    "fields", [{}, {"www-authenticate": ("Toy", 'Basic nonce="a"')}]
)
def test_a_401_without_a_nonce_is_given_back(fields):
    """Where the server tells no nonce there is nothing to try with."""
    outcome = TABLE["toy"].answered(VIEW, Answer(401, fields), Changes())
    assert outcome == GiveBack("no nonce was told")
