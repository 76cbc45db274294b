"""mitmproxy's console and web interfaces, begun by its commands and by ours."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from canary import Canaries
from harness import START, Answer, Place, Proxy, Sandbox, Stock, curl
from listening import listeners

ME = "https://api.box.com/2.0/users/me"
INJECT = Path(__file__).parents[2] / "addon" / "inject.py"


def wait_until_listening(port: int, alive: threading.Event) -> None:
    """Connect until somebody listens; fail when *alive* is no longer set."""
    end = time.monotonic() + START
    while time.monotonic() < end and alive.is_set():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nobody listens on {port}")


class Terminal:
    """A program on a terminal of its own, whose screen is read as it comes."""

    def __init__(self, place: Place, *command: str) -> None:
        (place.root / "home").mkdir(exist_ok=True)
        controller, terminal = pty.openpty()
        size = struct.pack("HHHH", 40, 200, 0, 0)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
        self.screen = bytearray()
        self.child = subprocess.Popen(
            command,
            env=place.env | {"TERM": "xterm", "COLUMNS": "200", "LINES": "40"},
            cwd=place.root,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            # Whoever runs the tests may have been told to ignore it (nohup).
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509
        )
        os.close(terminal)
        self._controller = controller
        self._hung_up = threading.Event()
        self.alive = threading.Event()
        self.alive.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # A terminal whose program has ended answers with an error.
        while not self._hung_up.is_set():
            if not select.select([self._controller], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(self._controller, 65536)
            except OSError:
                piece = b""
            if not piece:
                break
            self.screen += piece
        self.alive.clear()

    def type(self, text: str) -> None:
        os.write(self._controller, text.encode())

    def hang_up(self) -> None:
        """Let the terminal be gone, as one is whose window was closed."""
        self._hung_up.set()
        self._reader.join()
        os.close(self._controller)

    def close(self) -> int:
        try:
            return self.child.wait(START)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"did not quit: {bytes(self.screen)!r}") from None
        finally:
            if not self._hung_up.is_set():
                self._reader.join(5)
                os.close(self._controller)


def by_port(place: Place, port: int, alive: threading.Event) -> Answer:
    """
    Ask through a proxy that is known by its port alone, until it answers.

    mitmproxy listens before it has loaded scripts, and then once more.
    """
    ca = place.root / "mitmproxy" / "mitmproxy-ca-cert.pem"
    end = time.monotonic() + START
    while True:
        wait_until_listening(port, alive)
        answer = curl("-x", f"http://127.0.0.1:{port}", "--cacert", str(ca), ME)
        if answer.status or time.monotonic() > end:
            return answer


@pytest.mark.parametrize("by", ["stock", "serve"])
@pytest.mark.parametrize("how", ["keys", "signal", "closed window"])
def test_the_console_starts_serves_and_quits(
    place: Place, sandbox: Sandbox, ports: tuple[int, int], by: str, how: str
):
    """On a terminal: it answers; `q` and `y`, SIGTERM and a closed window end it."""
    config = sandbox.state / "client_credentials.toml"
    confdir = ("--set", f"confdir={place.root / 'mitmproxy'}")
    if by == "stock":
        program = str(Path(sys.executable).with_name("mitmproxy"))
        words = ("-s", str(INJECT), "--set", f"everbearer_config={config}")
        command = (program, *words, *confdir, "--listen-port", str(ports[0]))
    else:
        serve = (sys.executable, "-m", "everbearer", "serve", "-c", str(config))
        listen = ("--ui", "console", "--listen", f"127.0.0.1:{ports[0]}")
        command = (*serve, *listen, "--", *confdir)
    terminal = Terminal(place, *command)
    try:
        assert by_port(place, ports[0], terminal.alive).status == 200
        assert listeners(terminal.child.pid) == {"127.0.0.1"}
    finally:
        if how == "keys":
            terminal.type("qy")
        elif how == "closed window":
            terminal.hang_up()
            terminal.child.send_signal(signal.SIGHUP)  # as the kernel does then
        else:
            terminal.child.send_signal(signal.SIGTERM)
        code = terminal.close()
    assert code == (-signal.SIGHUP if how == "closed window" else 0)
    assert b"Traceback" not in terminal.screen
    assert not Canaries(sandbox).in_bytes(bytes(terminal.screen))


@pytest.mark.parametrize("by", ["stock", "serve"])
def test_the_web_interface_starts_and_serves(
    place: Place, sandbox: Sandbox, ports: tuple[int, int], by: str
):
    """A request is answered; the interface is out of the clients' reach."""
    config = sandbox.state / "client_credentials.toml"
    web = ("--web-port", str(ports[1]), "--no-web-open-browser")
    proxy = (
        Stock(place, config, *web, program="mitmweb")
        if by == "stock"
        else Proxy(place, config, "--ui", "web", mitmproxy=web)
    )
    alive = threading.Event()
    alive.set()
    wait_until_listening(ports[1], alive)

    assert by_port(place, proxy.port, alive).status == 200
    assert listeners(proxy.process.child.pid) == {"127.0.0.1"}
    reached = proxy.curl(f"http://127.0.0.1:{ports[1]}/")
    assert reached.status in {0, 500, 502}
    assert b"mitmproxy" not in reached.body
    proxy.process.stop()
    assert "Traceback" not in proxy.process.output


@pytest.mark.parametrize("by", ["stock", "serve"])
def test_the_web_interface_is_for_this_machine(
    place: Place, sandbox: Sandbox, ports: tuple[int, int], by: str
):
    """With --web-host 0.0.0.0 nothing starts."""
    config = sandbox.state / "client_credentials.toml"
    web = ("--web-port", str(ports[1]), "--no-web-open-browser")
    web += ("--web-host", "0.0.0.0")
    if by == "stock":
        process = Stock(place, config, *web, program="mitmweb").process
    else:
        serve = (sys.executable, "-m", "everbearer", "serve", "-c", str(config))
        listen = ("--ui", "web", "--listen", f"127.0.0.1:{ports[0]}", "--")
        process = place.run(*serve, *listen, *web)

    code = process.child.wait(START)
    process.stop()

    assert code == (1 if by == "stock" else 2)
    assert "web_host is 0.0.0.0" in process.output
    assert "Traceback" not in process.output
