"""A secret does not show itself."""

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.secret import Secret, fingerprint

CANARY = "canary-3f9a"


@dataclass(frozen=True)
class Holder:
    """Somebody who keeps a secret."""

    token: Secret


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        ascii,
        "{:>20}".format,
        "{!r:.100}".format,
        "{}".format,
        "%s %%".__mod__,
        "%r".__mod__,
        lambda secret: f"{secret} {secret!r} {secret=}",
        lambda secret: repr([secret, {secret: secret}]),
        lambda secret: repr(Holder(secret)),
        lambda secret: repr(asdict(Holder(secret))),
        lambda secret: repr(ValueError(secret)),
    ],
)
def test_does_not_show(show):
    """No way of making text of a secret shows its value."""
    text = show(Secret(CANARY))
    assert CANARY not in text
    assert "****" in text


def test_does_not_show_in_logs_and_tracebacks(caplog):
    """Neither a log record nor a traceback with its locals shows the value."""
    secret = Secret(CANARY)
    logging.getLogger("test").warning("token %s %r", secret, secret)
    assert CANARY not in caplog.text
    with pytest.raises(ValueError, match="Secret") as error:
        _fail(secret)
    lines = traceback.TracebackException.from_exception(
        error.value, capture_locals=True
    )
    assert "secret = Secret(****)" in "".join(lines.format())
    assert CANARY not in "".join(lines.format())


def _fail(secret):
    raise ValueError(repr(secret))


def test_reveal_is_the_only_way_out():
    """The value comes back when it is asked for by name."""
    assert Secret(CANARY).reveal() == CANARY


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_is_not_pickled(protocol):
    """A secret, or whoever holds one, refuses to be pickled, and says why."""
    for value in (Secret(CANARY), Holder(Secret(CANARY))):
        with pytest.raises(TypeError, match="not pickled") as error:
            pickle.dumps(value, protocol)
        assert CANARY not in str(error.value)


def test_is_no_json():
    """A secret does not slip into JSON."""
    with pytest.raises(TypeError) as error:
        json.dumps({"token": Secret(CANARY)})
    assert CANARY not in str(error.value)


def test_copies_are_secrets():
    """Copying a value that holds a secret keeps it wrapped."""
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"a": [secret]}) == {"a": [secret]}
    assert copy.deepcopy(secret) is secret


def test_has_no_other_attributes():
    """Nothing can be hung on a secret, and it has no dict to be dumped."""
    with pytest.raises(AttributeError):
        Secret(CANARY).note = CANARY
    assert not hasattr(Secret(CANARY), "__dict__")


def test_equality():
    """Secrets are equal by value, to secrets only."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("\u00e4") == Secret("\u00e4")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_truth():
    """A secret is true unless it is empty."""
    assert Secret("a")
    assert not Secret("")


def test_fingerprint():
    """A fingerprint is the beginning of the SHA-256, with or without the wrapper."""
    # The SHA-256 of "abc" as FIPS 180-2 gives it begins like this.
    assert fingerprint("abc") == "ba7816bf8f01"
    assert Secret("abc").fingerprint() == fingerprint("abc")


@given(st.text(), st.text())
def test_fingerprints_tell_apart(one, other):
    """Equal secrets have equal fingerprints and hashes, others others."""
    equal = Secret(one) == Secret(other)
    assert equal is (one == other)
    assert (fingerprint(one) == fingerprint(other)) is equal
    assert not equal or hash(Secret(one)) == hash(Secret(other))


def test_bytes_that_are_no_text():
    """What a field's bytes or a JSON escape leave half decoded is a secret as well."""
    for raw in (b"token-\xff".decode("utf-8", "surrogateescape"), "token-\ud800"):
        assert fingerprint(raw) != fingerprint("token-")
        assert Secret(raw) == Secret(raw)
        assert Secret(raw) != Secret("token-")
