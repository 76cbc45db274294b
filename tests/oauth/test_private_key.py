"""Private keys as users have them, whole and damaged."""

from __future__ import annotations

import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PublicFormat,
)

from everbearer.oauth.assertion import PrivateKey, load_private_key
from everbearer.secret import Secret
from oauth.rsa_keys import PASSPHRASE, PKCS8, TRADITIONAL, pem, rsa_key


def public_pem() -> str:
    """Write the public half, which signs nothing."""
    key = rsa_key().public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def elliptic_pem() -> str:
    """Write a key of another kind."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PKCS8, NoEncryption()).decode()


def given(passphrase: str | None) -> Secret | None:
    """Wrap what a user may have given."""
    return None if passphrase is None else Secret(passphrase)


def trouble(text: str, passphrase: str | None = None) -> str:
    """Return what the ValueError says, its traceback included."""
    with pytest.raises(ValueError, match="private key") as caught:
        load_private_key(
            Secret(text), None if passphrase is None else Secret(passphrase)
        )
    assert caught.value.__context__ is None
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("form", [PKCS8, TRADITIONAL])
@pytest.mark.parametrize("locked", ["", PASSPHRASE])
@pytest.mark.parametrize("passphrase", [None, "", PASSPHRASE])
def test_every_form_loads_and_a_needless_passphrase_is_ignored(
    form, locked, passphrase
):
    """PKCS#8 and traditional PEM load, encrypted or not; the key is the same."""
    if locked and not passphrase:
        assert "give its passphrase" in trouble(pem(form, locked), passphrase)
        return
    loaded = load_private_key(Secret(pem(form, locked)), given(passphrase))
    assert loaded == PrivateKey(rsa_key())


@pytest.mark.parametrize("newline", ["\\n", "\\r\\n", "\r\n"])
def test_line_ends_may_be_written_out(newline):
    """An environment file has the PEM in one line, with backslash and n."""
    text = pem(PKCS8, PASSPHRASE).replace("\n", newline)
    loaded = load_private_key(Secret(text), Secret(PASSPHRASE))
    assert loaded == PrivateKey(rsa_key())


def test_the_fingerprint_tells_keys_apart_and_not_their_wrapping():
    """Another key has another fingerprint, and nothing of a key is shown."""
    one, other = PrivateKey(rsa_key()), PrivateKey(rsa_key(which=1))
    assert one.fingerprint != other.fingerprint
    assert len(one.fingerprint) == 16
    assert repr(one) == f"PrivateKey(fingerprint='{one.fingerprint}')"


@pytest.mark.parametrize(
    ("text", "passphrase", "words"),
    [
        (pem(PKCS8, PASSPHRASE), "wrong", "the passphrase is wrong or"),
        (pem(TRADITIONAL, PASSPHRASE), "wrong", "the passphrase is wrong or"),
        (pem(PKCS8, PASSPHRASE), "\ud800", "the passphrase is wrong or"),
        (pem(PKCS8, PASSPHRASE)[:500], PASSPHRASE, "is damaged"),
        (pem()[:500], None, "the private key is damaged"),
        (pem().replace("A", "", 1), None, "the private key is damaged"),
        (pem().replace("A", "é", 1), None, "the private key is damaged"),
        (pem().replace("A", "\ud800", 1), None, "the private key is damaged"),
        ("", None, "no private key in PEM"),
        ("MIIEvQIBADANBg", None, "no private key in PEM"),
        (public_pem(), None, "no private key in PEM"),
        (elliptic_pem(), None, "not an RSA key"),
        (pem(bits=1024), None, "1024 bits; make one with at least 2048"),
    ],
)
def test_a_key_that_cannot_sign_is_told_without_being_quoted(text, passphrase, words):
    """The error says what is wrong; no line of the key or passphrase is in it."""
    told = trouble(text, passphrase)
    assert words in told
    assert not any(line and line in told for line in text.splitlines()[1:-1])
    assert PASSPHRASE not in told


def test_a_passphrase_that_is_not_utf_8_is_taken_byte_for_byte():
    """What the environment held undecoded reaches the key as it was."""
    raw = b"p\xe4ss"
    locked = rsa_key().private_bytes(Encoding.PEM, PKCS8, BestAvailableEncryption(raw))
    passphrase = Secret(raw.decode("utf-8", "surrogateescape"))
    loaded = load_private_key(Secret(locked.decode()), passphrase)
    assert loaded == PrivateKey(rsa_key())
