"""The user's own CA: made once, private, for the rules' hosts alone."""

from __future__ import annotations

import datetime as dt

import pytest

from everbearer.clients.own_authority import find, find_or_make, renew
from everbearer.errors import StoreError
from everbearer.policy.hosts import HostPattern

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
RULED = tuple(map(HostPattern.parse, ["api.box.com", "upload-*.app.box.com"]))
MORE = (*RULED, HostPattern.parse("api.example.com"))


@pytest.fixture
def folder(tmp_path):
    """Return where none is yet."""
    return tmp_path / "data" / "ca"


def test_it_is_made_once(folder):
    """The second who asks gets the same, whatever the rules are by then."""
    assert find(folder) is None
    made = find_or_make(folder, RULED, NOW)
    again = find_or_make(folder, MORE, NOW)
    assert made.issued.pem() == again.issued.pem()
    assert made.permitted == ("api.box.com", "app.box.com")
    assert made.path.read_text() == made.issued.certificate_pem()
    assert "PRIVATE" not in made.path.read_text()


def test_it_is_private(folder):
    """Folder 0700, files 0600; a wider mode is refused with the way out."""
    find_or_make(folder, RULED, NOW)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in folder.iterdir()} == {0o600}
    (folder / "ca-key.pem").chmod(0o640)
    with pytest.raises(StoreError) as caught:
        find(folder)
    assert "chmod 600" in caught.value.hint


def test_it_is_renewed_for_the_rules_of_now(folder):
    """What it was not made for is told, with the command; then it is."""
    old = find_or_make(folder, RULED, NOW)
    assert old.doubts(RULED, NOW) == ()
    (doubt,) = old.doubts(MORE, NOW)
    assert "api.example.com" in doubt
    assert "everbearer ca --renew" in doubt
    new = renew(folder, MORE, NOW)
    assert new.doubts(MORE, NOW) == ()
    assert new.issued.pem() != old.issued.pem()
    assert new.path.read_text() == new.issued.certificate_pem()


def test_its_end_is_told_a_month_before(folder):
    """With the command; it lives two years."""
    made = find_or_make(folder, RULED, NOW)
    assert made.doubts(RULED, NOW + dt.timedelta(days=699)) == ()
    (doubt,) = made.doubts(RULED, NOW + dt.timedelta(days=701))
    assert "2028-11-20" in doubt
    assert "everbearer ca --renew" in doubt


def test_what_is_no_authority_is_refused(folder):
    """It is not overwritten either."""
    find_or_make(folder, RULED, NOW)
    (folder / "ca-key.pem").write_text("nothing")
    with pytest.raises(StoreError):
        find_or_make(folder, RULED, NOW)
    assert (folder / "ca-key.pem").read_text() == "nothing"


def test_a_lost_certificate_is_written_again(folder):
    """The key has it."""
    made = find_or_make(folder, RULED, NOW)
    made.path.unlink()
    find(folder)
    assert made.path.read_text() == made.issued.certificate_pem()
