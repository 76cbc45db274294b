"""What is kept of a password, and what it accepts."""

from __future__ import annotations

import pytest

from everbearer.secret import Secret
from everbearer.users.passwords import Argon2Hash, Digest, hashed, random_password
from everbearer.users.user import user_of_one_run

CHEAP = (
    "$argon2id$v=19$m=35840,t=1,p=1$"
    "iNN9wF54gfHxbT1iV7M+Vg$pFPKR0+fRgd6UZHET3Pf/HgKnNmS1jTIJaKaxk4Mjnk"
)
"""The hash of x. A new salt each time would give each process other tests."""


def test_a_hash_accepts_its_password_and_no_other():
    """Right, wrong, empty, longer, of another case."""
    kept = hashed(Secret("correct horse é"))
    assert kept.verify(Secret("correct horse é"))
    for wrong in ("", "correct horse", "correct horse é ", "CORRECT HORSE É"):
        assert not kept.verify(Secret(wrong))


def test_a_hash_shows_itself_nowhere():
    """It is no password, but somebody may guess from it."""
    kept = hashed(Secret("correct horse"))
    assert "$argon2id" not in repr(kept) + str(kept)


def test_a_decoy_costs_the_same_and_accepts_nothing():
    """Its parameters are the hash's, its salt and hash are random."""
    kept = Argon2Hash(Secret(CHEAP))
    decoy = kept.decoy()
    assert decoy.cost == kept.cost
    head = kept.phc.reveal().rsplit("$", 2)[0]
    assert decoy.phc.reveal().startswith(f"{head}$")
    assert decoy.identity != kept.decoy().identity
    assert not decoy.verify(Secret("x"))


@pytest.mark.parametrize(
    "phc",
    [
        "",
        "correct horse battery",
        "$2b$12$abcdefghijklmnopqrstuv",
        CHEAP.replace("argon2id", "argon2i"),
        CHEAP.replace("v=19", "v=16"),
        CHEAP + "=",
        CHEAP + "\n",
        CHEAP.rpartition("$")[0],
        CHEAP.replace("m=35840", "m=35839"),
        CHEAP.replace("m=35840", "m=9999999999"),
        CHEAP.replace("t=1", "t=17"),
        CHEAP.replace("p=1", "p=17"),
        CHEAP.replace("p=1", "p=0"),
        CHEAP + "A" * 500,
    ],
)
def test_other_hashes_are_refused(phc):
    """Other kinds, too cheap, too dear, cut: with a reason that quotes nothing."""
    with pytest.raises(ValueError, match=r"not an argon2id|too cheap|too dear") as told:
        Argon2Hash(Secret(phc))
    assert not phc or phc not in str(told.value)


def test_a_hash_that_argon2_cannot_read_accepts_nothing():
    """What looks like one and is none fails closed."""
    text = CHEAP
    head, salt, _ = text.rsplit("$", 2)
    broken = Argon2Hash(Secret(f"{head}${salt}${'A' * 17}"))
    assert not broken.verify(Secret("x"))


def test_a_user_of_one_run_has_a_random_password():
    """256 bits, another each time, verified without argon2."""
    user, password = user_of_one_run("exec", ("dev",))
    other, _ = user_of_one_run("exec")
    assert (user.name, user.profiles, user.password.is_slow) == (
        "exec",
        ("dev",),
        False,
    )
    assert user.password.verify(password)
    assert not other.password.verify(password)
    assert user.password.identity != other.password.identity
    assert len(password.reveal()) == 43
    assert password.reveal() not in repr(user)


def test_a_digest_compares_all_of_it():
    """A beginning is not enough."""
    password = random_password()
    kept = Digest.of(password)
    assert kept.verify(password)
    assert not kept.verify(Secret(password.reveal()[:-1]))
