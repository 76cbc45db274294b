"""Lines of many processes, in files of a bounded size: none is lost, none is mixed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from everbearer.audit.line_file import LineFile
from everbearer.settings.files import open_log
from everbearer.settings.problems import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable

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


def taken(file: LineFile, lines: bytes) -> list[int]:
    """Append all of *lines*; return how much each write took."""
    lengths = []
    while lines:
        lengths.append(file.append(lines))
        lines = lines[lengths[-1] :]
    return lengths


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
    lengths = taken(file, b"line1\nline2\nline3\nline4\nline5\nline6\n")
    found = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert lengths == [6, 12, 12, 6]
    assert found == {
        "log": b"line6\n",
        "log.1": b"line4\nline5\n",
        "log.2": b"line2\nline3\n",
    }


def test_a_line_longer_than_a_file_may_be_is_written(tmp_path):
    """It has a file of its own, whatever comes with it."""
    file = LineFile(tmp_path / "log", 5, 3)
    taken(file, b"a\nmuch longer\nb\n")
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


def test_a_link_to_itself_is_refused(tmp_path):
    """As whatever else cannot be written, by every Python."""
    (tmp_path / "log").symlink_to(tmp_path / "log")
    with pytest.raises((OSError, Mistake)):
        LineFile(tmp_path / "log", 10, 1).append(b"x\n")


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


def test_where_names_cannot_be_given_on_the_file_goes_on(tmp_path):
    """No line is lost, lines go together, and it is tried again after a minute."""
    now = [0.0]
    path, way = tmp_path / "log", tmp_path / "log.1"
    (way / "full").mkdir(parents=True)
    file = LineFile(path, 12, 1, clock=lambda: now[0])
    assert taken(file, b"line0\nline1\nline2\nline3\n") == [12, 12]
    assert isinstance(file.stuck, IsADirectoryError)
    way.rename(tmp_path / "elsewhere")
    now[0] = 59.9
    file.append(b"line4\n")
    assert path.read_bytes() == b"line0\nline1\nline2\nline3\nline4\n"
    assert file.stuck
    now[0] = 60.0
    file.append(b"line5\n")
    assert file.stuck is None
    assert path.read_bytes() == b"line5\n"
    assert way.read_bytes() == b"line0\nline1\nline2\nline3\nline4\n"


def test_names_are_not_tried_at_each_line(tmp_path):
    """Within the minute a file that is stuck is only written."""
    (tmp_path / "log.1" / "full").mkdir(parents=True)
    file = LineFile(tmp_path / "log", 5, 1, clock=lambda: 7.0)
    taken(file, b"line\nline\n")
    why = file.stuck
    assert why
    for _ in range(10):
        file.append(b"line\n")
        assert file.stuck is why  # another failure would be another one


def test_who_is_stuck_locks_nobody_out(tmp_path):
    """Another process that comes when the way is free gives the names on."""
    path, way = tmp_path / "log", tmp_path / "log.1"
    (way / "full").mkdir(parents=True)
    first, second = LineFile(path, 12, 1), LineFile(path, 12, 1)
    taken(first, b"line0\nline1\nline2\n")
    assert first.stuck
    way.rename(tmp_path / "elsewhere")
    second.append(b"line3\n")
    assert way.read_bytes() == b"line0\nline1\nline2\n"
    first.append(b"line4\n")
    assert first.stuck is None


UNWRITABLE = """
import os, sys
from pathlib import Path
from everbearer.audit.line_file import LineFile
if os.geteuid() == 0:
    os.setuid(int(sys.argv[2]))
file = LineFile(Path(sys.argv[1]), 12, 2)
for n in range(6):
    file.append(b"line%d\\n" % n)
print(file.stuck.strerror)
"""
NOBODY = 65534


@pytest.mark.real
def test_a_folder_that_cannot_be_written_loses_no_line():
    """As for a file that an administrator made in /var/log."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "log"
        path.touch(0o600)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        path.parent.chmod(0o555)
        command = [sys.executable, "-c", UNWRITABLE, path, str(NOBODY)]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        path.parent.chmod(0o700)
        assert told.stdout == "Permission denied\n", told.stderr
        assert path.read_bytes() == b"".join(b"line%d\n" % n for n in range(6))


def pipe(path: Path) -> None:
    """Make a named pipe, which nobody reads."""
    os.mkfifo(path, 0o600)


def linked(path: Path) -> None:
    """Make a second name of another file."""
    (path.parent / "other").touch(0o600)
    path.hardlink_to(path.parent / "other")


def with_mode(mode: int) -> Callable[[Path], None]:
    """Return what makes a file of that mode."""

    def make(path: Path) -> None:
        path.touch()
        path.chmod(mode)

    return make


@pytest.mark.parametrize(
    ("make", "told", "fix"),
    [
        (pipe, "is not a regular file", "name a regular file"),
        (linked, "has another name too", "move it away"),
        (with_mode(0o620), "is writable by others", "chmod go-w "),
        (with_mode(0o602), "is writable by others", "chmod go-w "),
        (with_mode(0o604), "is readable by others", "chmod o= "),
        (with_mode(0o644), "is readable by others", "chmod o= "),
    ],
)
def test_a_file_that_is_not_ours_alone_is_refused(tmp_path, make, told, fix):
    """Before anything is written to it, when it is met again too, and at once."""
    path = tmp_path / "log"
    file = LineFile(path, 1000, 1)
    file.append(b"before\n")
    path.unlink()
    make(path)
    for each in (file, LineFile(path, 1000, 1)):
        with pytest.raises(Mistake) as caught:
            each.append(b"line\n")
        assert caught.value.message.startswith(f"{path} {told}")
        assert fix in caught.value.fix
    assert path.stat().st_size == 0
    path.unlink()
    file.append(b"after\n")
    assert path.read_bytes() == b"after\n"


def test_a_pipe_that_somebody_reads_is_refused(tmp_path):
    """It could be opened, and nothing in it would last."""
    path = tmp_path / "log"
    os.mkfifo(path, 0o600)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(Mistake, match="is not a regular file"):
        LineFile(path, 1000, 1).open()
    os.close(reader)


def test_a_log_of_another_user_is_refused(tmp_path):
    """He could take back the mode that we judged, and write what never was."""
    path = tmp_path / "log"
    path.touch(0o600)
    if os.geteuid() == 0:
        os.chown(path, NOBODY, -1)
    with pytest.raises(Mistake, match="belongs to another user"):
        os.close(open_log(path, os.geteuid() + (os.geteuid() != 0)))


def test_a_group_may_read_the_log_and_share_its_folder(tmp_path):
    """What ships logs reads them by its group, and /var/log is that of one."""
    path = tmp_path / "logs" / "log"
    path.parent.mkdir()
    path.parent.chmod(0o770)
    path.touch()
    path.chmod(0o640)
    LineFile(path, 1000, 1).append(b"line\n")
    assert path.read_bytes() == b"line\n"


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_anybody_may_write_is_refused(tmp_path, there: bool):
    """Whoever can take the log away; a sticky folder does not let him."""
    folder = tmp_path / "open"
    folder.mkdir()
    path = folder / "sub" / "log"
    if there:
        path.parent.mkdir()
        path.touch(0o600)
    folder.chmod(0o777)
    with pytest.raises(Mistake, match="open is writable by others") as caught:
        LineFile(path, 1000, 1).append(b"line\n")
    assert caught.value.fix == f"run: chmod o-w {folder}"
    assert path.exists() == there
    folder.chmod(0o1777)
    LineFile(path, 1000, 1).append(b"line\n")
    assert path.read_bytes() == b"line\n"


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
