"""Records are sealed so that nothing but the same record of the same grant opens."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everbearer.errors import StoreError
from everbearer.secret import Secret
from everbearer.stores.cipher import Cipher, key_bytes, new_key
from everbearer.stores.codec import SCHEMA, decode, encode, seal, unseal
from everbearer.stores.contract import Intent, Record, Trouble, TroubleKind
from stores.places import grant

CIPHER = Cipher(new_key())
RECORD = Record(version=7, access_token=Secret("canary"), expires_at=9.5)

secrets = st.none() | st.text().map(Secret)
times = st.floats(allow_nan=False)
records = st.builds(
    Record,
    version=st.integers(min_value=0),
    access_token=secrets,
    issued_at=times,
    expires_at=times,
    refresh_token=secrets,
    refresh_issued_at=times,
    intent=st.none() | st.builds(Intent, at=times, refresh_fingerprint=st.text()),
    trouble=st.none()
    | st.builds(
        Trouble,
        kind=st.sampled_from(TroubleKind),
        message=st.text(),
        since=times,
        attempts=st.integers(),
        not_before=times,
        grant=st.text(),
        hint=st.text(),
        wait=times,
    ),
    earlier_refresh_tokens=st.lists(secrets.filter(bool)).map(tuple),
)


@given(records)
def test_every_record_comes_back(record):
    """Whatever a record holds, it is decoded as it was encoded."""
    assert decode(encode(record), record.version) == record


def test_a_record_from_before_second_chances_is_read():
    """A store that an older everbearer wrote opens: one earlier token or none."""
    document = json.loads(encode(RECORD))
    del document["earlier_refresh_tokens"]
    assert decode(json.dumps(document).encode(), RECORD.version) == RECORD

    document["earlier_refresh_token"] = "one"
    one = replace(RECORD, earlier_refresh_tokens=(Secret("one"),))
    assert decode(json.dumps(document).encode(), RECORD.version) == one


def test_a_trouble_from_before_pauses_had_a_length_is_read():
    """A store that an older everbearer wrote opens: the pause has none."""
    trouble = Trouble(TroubleKind.UNAVAILABLE, "down", 4.0, 2, 9.0, "fingerprint")
    record = replace(RECORD, trouble=trouble)
    document = json.loads(encode(record))
    del document["trouble"]["wait"]

    assert decode(json.dumps(document).encode(), RECORD.version) == record


def test_undecodable_bytes_come_back():
    """A secret read from a file that is not UTF-8 keeps its bytes."""
    text = b"\xff".decode("utf-8", "surrogateescape")
    decoded = decode(encode(Record(refresh_token=Secret(text))), 0)

    assert decoded.refresh_token.reveal() == text


@given(st.binary(), st.binary())
def test_sealed_bytes_open(plaintext, associated):
    """What was sealed opens, and no two seals are alike."""
    sealed = CIPHER.seal(plaintext, associated)

    assert CIPHER.open(sealed, associated) == plaintext
    assert sealed != CIPHER.seal(plaintext, associated)


@given(st.binary(max_size=80))
def test_foreign_bytes_do_not_open(sealed):
    """Bytes that were not sealed with the key are refused, however short."""
    with pytest.raises(StoreError, match="does not authenticate"):
        CIPHER.open(sealed, b"")


def test_another_key_does_not_open():
    """What one key sealed no other opens."""
    with pytest.raises(StoreError, match="does not authenticate"):
        Cipher(new_key()).open(CIPHER.seal(b"x", b""), b"")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        "\u20ac" * 43,
        base64.b64encode(bytes(16)).decode(),
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
    ],
)
def test_only_keys_of_32_bytes_count(text):
    """Anything but 32 bytes in base64 is no key, one for AES-128 included."""
    with pytest.raises(StoreError, match="32 bytes"):
        Cipher(Secret(text))


def test_keys_are_new():
    """No key is made twice, and each has 32 bytes."""
    one, other = new_key(), new_key()

    assert one != other
    assert len(key_bytes(one)) == 32


def test_every_damaged_bit_is_found():
    """A sealed record with any one bit changed, or any byte missing, is refused."""
    row = seal(CIPHER, grant("a"), RECORD)
    for position in range(len(row.sealed)):
        for bit in range(8):
            damaged = bytearray(row.sealed)
            damaged[position] ^= 1 << bit
            with pytest.raises(StoreError, match="does not authenticate"):
                unseal(
                    CIPHER, grant("a"), replace(row, sealed=bytes(damaged)), remedy=""
                )
        shorter = replace(row, sealed=row.sealed[:position])
        with pytest.raises(StoreError, match="does not authenticate"):
            unseal(CIPHER, grant("a"), shorter, remedy="")


@pytest.mark.parametrize(
    "change", [{"version": 6}, {"version": 8}, {"schema": SCHEMA - 1}]
)
def test_a_row_keeps_its_version_and_schema(change):
    """A row given another version or schema than it was sealed with is refused."""
    row = seal(CIPHER, grant("a"), RECORD)

    with pytest.raises(StoreError, match=f"record {grant('a').digest[:8]}") as caught:
        unseal(CIPHER, grant("a"), replace(row, **change), remedy="what to do")
    assert caught.value.hint == "what to do"


@pytest.mark.parametrize(
    "part", ["token_url", "client_id", "grant", "identity", "dialled"]
)
def test_a_row_belongs_to_its_grant(part):
    """A row moved to a grant that differs in any part is refused."""
    row = seal(CIPHER, grant("a"), RECORD)

    with pytest.raises(StoreError, match="does not authenticate"):
        unseal(CIPHER, replace(grant("a"), **{part: "other"}), row, remedy="")


def test_newer_schema_is_named():
    """A record of a schema to come says that a newer everbearer wrote it."""
    row = replace(seal(CIPHER, grant("a"), RECORD), schema=SCHEMA + 1)

    with pytest.raises(StoreError, match="newer everbearer") as caught:
        unseal(CIPHER, grant("a"), row, remedy="")
    assert "newer" in caught.value.hint


def test_nothing_sealed_is_readable():
    """Neither the token nor any field's name is in the sealed bytes."""
    row = seal(CIPHER, grant("a"), RECORD)

    assert b"canary" not in row.sealed
    assert not any(name.encode() in row.sealed for name in json.loads(encode(RECORD)))
