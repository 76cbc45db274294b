"""A PostgreSQL server of a test's own, to be stopped and cut off."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from needs import lack

START = 60
"""Seconds the server may take to start on a busy machine."""


class Cluster:
    """
    One server on a free port of loopback, its database and user `everbearer`.

    PostgreSQL does not run as root: where the tests do, it is the user postgres.
    With *tls*, a certificate and its key in PEM form, nobody comes in without TLS.
    """

    def __init__(self, password: str = "", *, tls: str = "") -> None:
        self._bin = _programs()
        self._as = _not_root()
        self.folder = Path(tempfile.mkdtemp(prefix="everbearer-pg-"))
        if "user" in self._as:
            shutil.chown(self.folder, self._as["user"], self._as["group"])
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        secret = self.folder / "password"
        secret.write_text(password or "unused")
        self._run(
            *("initdb", "-D", self.folder / "data", "-U", "everbearer", "-E", "UTF8"),
            *("-A", "scram-sha-256" if password else "trust"),
            *("--locale=C", f"--pwfile={secret}"),
        )
        self._tls = bool(tls)
        if tls:
            self._demand_tls(tls)
        self.start()

    @property
    def url(self) -> str:
        """The database's URL, without a password."""
        return f"postgresql://everbearer@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start the server, and return once it can be used."""
        options = f"-p {self.port} -k {self.folder} -h 127.0.0.1"
        if self._tls:
            pem = self.folder / "server.pem"
            options += f" -c ssl=on -c ssl_cert_file={pem} -c ssl_key_file={pem}"
        self._ctl("start", "-o", options, "-l", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; with *mode* "immediate" as a crash would."""
        self._ctl("stop", "-m", mode)

    def remove(self) -> None:
        """Stop the server if it runs, and remove it."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder)

    def _demand_tls(self, tls: str) -> None:
        pem = self.folder / "server.pem"
        pem.write_text(tls)
        pem.chmod(0o600)
        if "user" in self._as:
            shutil.chown(pem, self._as["user"], self._as["group"])
        admitted = self.folder / "data" / "pg_hba.conf"
        text, count = re.subn(r"(?m)^host\b", "hostssl", admitted.read_text())
        assert count, text
        admitted.write_text(text)

    def _ctl(self, what: str, *arguments: str) -> None:
        data = self.folder / "data"
        self._run("pg_ctl", what, "-D", data, "-w", "-t", str(START), *arguments)

    def _run(self, program: str, *arguments: object) -> None:
        done = subprocess.run(
            [self._bin / program, *map(str, arguments)],
            cwd=self.folder,
            # What the server inherits of it must not be a pipe that we read.
            stdout=(log := (self.folder / "commands").open("ab")),
            stderr=log,
            stdin=subprocess.DEVNULL,
            check=False,
            **self._as,
        )
        log.close()
        if done.returncode:
            said = (self.folder / "commands").read_text(errors="replace")
            raise AssertionError(f"{program} failed:\n{said}")


def _programs() -> Path:
    """Return the folder of the newest server's programs; skip without any."""
    found = [Path(p).parent for p in [shutil.which("initdb")] if p]
    found += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0),
        reverse=True,
    )
    for folder in found:
        if (folder / "initdb").exists():
            return folder
    return lack("postgres", "PostgreSQL's server programs are not installed")


def _not_root() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        lack("postgres", "there is no user postgres to run a server as")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
