"""The state folder: private files, written whole or not at all."""

import fcntl
import os
import shutil
from pathlib import Path

LOCK_FILE = "sandbox.lock"


class SandboxError(Exception):
    """The sandbox cannot start; the message names the thing and the fix."""


class StateFolder:
    """
    A folder of mode 0700 whose files are of mode 0600, used by one sandbox.

    Raises SandboxError when another sandbox uses it, or when it holds anything but a
    sandbox's state: files in it are replaced and removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(self.path.iterdir()) and not (self.path / LOCK_FILE).exists():
            raise SandboxError(
                f"{self.path} holds other files: give --state a new or an empty folder"
            )
        self.path.chmod(0o700)
        self._lock = os.open(
            self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise SandboxError(
                f"another sandbox uses {self.path}: stop it or give --state another"
            ) from None

    def write(self, name: str, text: str) -> None:
        """Replace the file *name* in one step."""
        temporary = self.path / f".{name}.new"
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(self.path / name)

    def read(self, name: str) -> str | None:
        """Return the content of *name*, or None if there is no such file."""
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def emptied(self, name: str) -> Path:
        """Return the private folder *name* inside, without anything in it."""
        path = self.path / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        return path

    def close(self) -> None:
        """Let another sandbox use the folder."""
        os.close(self._lock)
