"""Lines of many processes, in files of a bounded size: none is lost, none is mixed."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from everbearer.audit.line_file import LineFile

WRITER = """
import sys
from pathlib import Path
from everbearer.audit.line_file import LineFile
file = LineFile(Path(sys.argv[1]), 20_000, 99)
count, together = int(sys.argv[3]), int(sys.argv[4])
for begin in range(0, count, together):
    numbers = range(begin, min(begin + together, count))
    lines = "".join(f"{sys.argv[2]} {n} {'x' * (n % 50)}.\\n" for n in numbers).encode()
    while lines:
        lines = lines[file.append(lines):]
"""


def lines(path: Path) -> list[bytes]:
    """Return the lines of all files, whatever their order."""
    files = path.parent.glob(f"{path.name}*")
    return [line for each in files for line in each.read_bytes().splitlines()]


def test_lines_are_appended_and_the_file_is_private(tmp_path):
    """Folders that are missing are made, for their owner alone too."""
    path = tmp_path / "a" / "b" / "audit.jsonl"
    file = LineFile(path, 1000, 2)
    file.append(b"one\n")
    file.close()
    file.append(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_at_its_size_a_file_makes_way(tmp_path):
    """The newest lines have the name; so many older files stay, and no more."""
    path = tmp_path / "log"
    file = LineFile(path, 12, 2)
    for n in range(7):
        file.append(b"line%d\n" % n)  # two fit
    found = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert found == {
        "log": b"line6\n",
        "log.1": b"line4\nline5\n",
        "log.2": b"line2\nline3\n",
    }


def test_lines_together_fill_files_as_single_ones_do(tmp_path):
    """As many as a file has room for, whole ones; the rest is for the next file."""
    file = LineFile(tmp_path / "log", 12, 2)
    file.append(b"line0\n")
    lines, taken = b"line1\nline2\nline3\nline4\nline5\nline6\n", []
    while lines:
        taken.append(file.append(lines))
        lines = lines[taken[-1] :]
    found = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert taken == [6, 12, 12, 6]
    assert found == {
        "log": b"line6\n",
        "log.1": b"line4\nline5\n",
        "log.2": b"line2\nline3\n",
    }


def test_a_line_longer_than_a_file_may_be_is_written(tmp_path):
    """It has a file of its own, whatever comes with it."""
    file = LineFile(tmp_path / "log", 5, 3)
    lines = b"a\nmuch longer\nb\n"
    while lines:
        lines = lines[file.append(lines) :]
    assert (tmp_path / "log.1").read_bytes() == b"much longer\n"


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path):
    """As logrotate does it: the next line is in a new file, the old ones stay."""
    path = tmp_path / "log"
    file = LineFile(path, 1000, 1)
    file.append(b"old\n")
    path.rename(tmp_path / "kept")
    file.append(b"new\n")
    assert (path.read_bytes(), (tmp_path / "kept").read_bytes()) == (b"new\n", b"old\n")


def test_nothing_is_written_through_a_link(tmp_path):
    """Who may write to the folder does not choose what we write to."""
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links") as caught:
        LineFile(tmp_path / "log", 10, 1).append(b"x\n")
    assert caught.value.errno == errno.ELOOP


@pytest.mark.real
@pytest.mark.parametrize("together", [1, 7])
def test_processes_lose_no_line_in_rotation(tmp_path, together: int):
    """Four write at once through many rotations: each line is there once, whole."""
    path, count = tmp_path / "log", 3000
    command = [sys.executable, "-c", WRITER, path]
    writers = [
        subprocess.Popen([*command, name, str(count), str(together)]) for name in "abcd"
    ]
    assert [each.wait(60) for each in writers] == [0, 0, 0, 0]
    wanted = {
        f"{name} {n} {'x' * (n % 50)}.".encode()
        for name in "abcd"
        for n in range(count)
    }
    found = lines(path)
    assert len(found) == len(wanted)
    assert set(found) == wanted
    assert len(list(tmp_path.iterdir())) > 10


@pytest.mark.real
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_told(tmp_path):
    """No line, and an OSError that says so."""
    file = LineFile(Path("/dev/full"), 1 << 20, 1)
    with pytest.raises(OSError, match="No space left"):
        file.append(b"x\n")


CUT = """
import resource, signal, sys
from pathlib import Path
from everbearer.audit.line_file import LineFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = LineFile(Path(sys.argv[1]), 1000, 1)
file.append(b"before\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
lines = b"first\\nsecond\\nthird\\n"
try:
    while lines:
        lines = lines[file.append(lines):]
except OSError as error:
    print(lines.count(b"\\n"))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
file.append(b"after\\n")
"""


@pytest.mark.real
@pytest.mark.parametrize(
    ("room", "lost", "stays"),
    [
        (7, 3, b""),
        (10, 3, b""),
        (13, 2, b"first\n"),
        (19, 2, b"first\n"),
        (20, 1, b"first\nsecond\n"),
    ],
)
def test_what_does_not_fit_whole_leaves_nothing(tmp_path, room, lost, stays):
    """A line of which the begin fits is taken back; whole ones before it stay."""
    path = tmp_path / "log"
    command = [sys.executable, "-c", CUT, path, str(room)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == f"{lost}\n"
    assert path.read_bytes() == b"before\n" + stays + b"after\n"
