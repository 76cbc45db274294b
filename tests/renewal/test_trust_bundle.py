"""The file of authorities: private, whole, and gone when its maker is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import certifi
import pytest

from everbearer.errors import StoreError
from everbearer.renewal.trust import bundle

MAKER = """
import sys
from pathlib import Path
from everbearer.renewal.trust import bundle

with bundle(Path(sys.argv[1]), Path(sys.argv[2])) as path:
    print(path, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """Return a file that is known again; what is in it is not read here."""
    path = tmp_path / "ca.pem"
    path.write_text("an authority of ours")
    return path


@pytest.fixture
def maker(tmp_path: Path, ca_file: Path, real: None):
    """Start processes that have a bundle until they are told, or killed."""
    started = []

    def start() -> tuple[subprocess.Popen[str], Path]:
        child = subprocess.Popen(
            [sys.executable, "-c", MAKER, str(ca_file), str(tmp_path / "folder")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child, Path(child.stdout.readline().strip())

    yield start
    for child in started:
        child.kill()
        child.communicate()


def test_everybody_who_is_trusted_is_in_a_private_file(tmp_path: Path, ca_file: Path):
    """Ours and Mozilla's; 0600 in 0700; nothing is left of it."""
    folder = tmp_path / "a" / "b"
    with bundle(ca_file, folder) as path:
        text = path.read_text()
        assert "an authority of ours" in text
        assert Path(certifi.where()).read_text() in text
        assert path.stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(folder.glob("*.pem"))


def test_what_a_killed_maker_left_is_removed_and_nothing_else(
    tmp_path: Path, ca_file: Path, maker
):
    """The next one removes it, and leaves the file of one who lives."""
    dead, left = maker()
    living, kept = maker()
    dead.kill()
    dead.wait()
    assert left.exists()
    with bundle(ca_file, tmp_path / "folder") as path:
        assert not left.exists()
        assert {path, kept} == set((tmp_path / "folder").glob("*.pem"))
    living.communicate("")
    assert living.returncode == 0
    assert not kept.exists()


def test_a_folder_that_others_can_use_is_refused(tmp_path: Path, ca_file: Path):
    """Who could put another file there would be trusted with every token."""
    folder = tmp_path / "wide"
    folder.mkdir()
    folder.chmod(0o770)
    refused = pytest.raises(StoreError, match="lets other users in")
    with refused as caught, bundle(ca_file, folder):
        pass
    assert "chmod 700" in caught.value.hint
    assert not list(folder.iterdir())


def test_authorities_that_have_gone_leave_no_file(tmp_path: Path):
    """Where the file to be trusted cannot be read there is none to use."""
    missing, folder = tmp_path / "none.pem", tmp_path / "folder"
    with pytest.raises(StoreError, match="cannot be used"), bundle(missing, folder):
        pass
    assert not list(folder.glob("*.pem"))
